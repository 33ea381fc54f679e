"""The types of wrappers that change the types of keys or values."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, overload

from holdall.abc import Unary
from holdall.store import Store
from holdall.store.pipeline import KeyValueFunction
from holdall.wrappers._base import BaseWrapper, Decorator

__all__ = ["NewItems", "NewKeys", "NewValues", "WrapKvs"]

S = TypeVar("S", bound=Store[Any, Any])
K = TypeVar("K")
V = TypeVar("V")
J = TypeVar("J")
W = TypeVar("W")


class NewKeys(Protocol[J]):
    """A decorator that changes the type of keys."""

    @overload
    def __call__(self, store: type[S], /) -> type[S]: ...
    @overload
    def __call__(self, store: Mapping[Any, V], /) -> Store[J, V]: ...


class NewValues(Protocol[W]):
    """A decorator that changes the type of values."""

    @overload
    def __call__(self, store: type[S], /) -> type[S]: ...
    @overload
    def __call__(self, store: Mapping[K, Any], /) -> Store[K, W]: ...


class NewItems(Protocol[J, W]):
    """A decorator that changes the types of keys and values."""

    @overload
    def __call__(self, store: type[S], /) -> type[S]: ...
    @overload
    def __call__(self, store: Mapping[Any, Any], /) -> Store[J, W]: ...


class WrapKvs(BaseWrapper):
    """The type of `wrap_kvs`: the outward functions determine the new types of keys and values."""

    @overload
    def __call__(
        self,
        store: type[S],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Unary | None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: Unary | None = None,
        preset: KeyValueFunction | None = None,
        postget: KeyValueFunction | None = None,
    ) -> type[S]: ...
    @overload
    def __call__(
        self,
        store: type[Mapping[Any, Any]],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Unary | None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: Unary | None = None,
        preset: KeyValueFunction | None = None,
        postget: KeyValueFunction | None = None,
    ) -> type[Store[Any, Any]]: ...
    @overload
    def __call__(
        self,
        store: S,
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: None = None,
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> S: ...
    @overload
    def __call__(
        self,
        store: Mapping[K, V],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: None = None,
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> Store[K, V]: ...
    @overload
    def __call__(
        self,
        store: Mapping[K, Any],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: Callable[[Any], W],
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> Store[K, W]: ...
    @overload
    def __call__(
        self,
        store: Mapping[K, Any],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: Unary | None = None,
        preset: KeyValueFunction | None = None,
        postget: Callable[[Any, Any], W],
    ) -> Store[K, W]: ...
    @overload
    def __call__(
        self,
        store: Mapping[Any, V],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Callable[[Any], J],
        data_of_obj: Unary | None = None,
        obj_of_data: None = None,
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> Store[J, V]: ...
    @overload
    def __call__(
        self,
        store: Mapping[Any, Any],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Callable[[Any], J],
        data_of_obj: Unary | None = None,
        obj_of_data: Callable[[Any], W],
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> Store[J, W]: ...
    @overload
    def __call__(
        self,
        store: Mapping[Any, Any],
        /,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Callable[[Any], J],
        data_of_obj: Unary | None = None,
        obj_of_data: Unary | None = None,
        preset: KeyValueFunction | None = None,
        postget: Callable[[Any, Any], W],
    ) -> Store[J, W]: ...
    @overload
    def __call__(
        self,
        *,
        id_of_key: Unary | None = None,
        key_of_id: None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: None = None,
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> Decorator: ...
    @overload
    def __call__(
        self,
        *,
        id_of_key: Unary | None = None,
        key_of_id: None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: Callable[[Any], W],
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> NewValues[W]: ...
    @overload
    def __call__(
        self,
        *,
        id_of_key: Unary | None = None,
        key_of_id: None = None,
        data_of_obj: Unary | None = None,
        obj_of_data: Unary | None = None,
        preset: KeyValueFunction | None = None,
        postget: Callable[[Any, Any], W],
    ) -> NewValues[W]: ...
    @overload
    def __call__(
        self,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Callable[[Any], J],
        data_of_obj: Unary | None = None,
        obj_of_data: None = None,
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> NewKeys[J]: ...
    @overload
    def __call__(
        self,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Callable[[Any], J],
        data_of_obj: Unary | None = None,
        obj_of_data: Callable[[Any], W],
        preset: KeyValueFunction | None = None,
        postget: None = None,
    ) -> NewItems[J, W]: ...
    @overload
    def __call__(
        self,
        *,
        id_of_key: Unary | None = None,
        key_of_id: Callable[[Any], J],
        data_of_obj: Unary | None = None,
        obj_of_data: Unary | None = None,
        preset: KeyValueFunction | None = None,
        postget: Callable[[Any, Any], W],
    ) -> NewItems[J, W]: ...
    def __call__(self, *stores: Any, **options: Any) -> Any:
        """Wrap a store, a store class, or a mapping; without one, return a decorator."""
        return self.wrap(*stores, **options)
