"""Functions as sources of a cache."""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from holdall.errors import InvalidArgumentError
from holdall.store import Pipeline, Store
from holdall.wrappers._base import Decorator, Wrapper
from holdall.wrappers._expiring import expiring
from holdall.wrappers._on_missing import on_missing

__all__ = ["FunctionWrapper", "function_wrapper"]

P = ParamSpec("P")
S = TypeVar("S", bound=Store[Any, Any])
K = TypeVar("K")
V = TypeVar("V")


class FunctionWrapper(Wrapper[P]):
    """A wrapper that also takes functions from a key to its value, with options of its cache alone."""

    # A class is callable too, but is tested first.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, store: type[S], /, *args: P.args, **options: P.kwargs
    ) -> type[S]: ...
    @overload
    def __call__(self, store: S, /, *args: P.args, **options: P.kwargs) -> S: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, store: type[Mapping[K, V]], /, *args: P.args, **options: P.kwargs
    ) -> type[Store[K, V]]: ...
    @overload
    def __call__(self, store: Mapping[K, V], /, *args: P.args, **options: P.kwargs) -> Store[K, V]: ...
    @overload
    def __call__(self, store: Callable[[K], V], /, *args: P.args, **options: P.kwargs) -> Store[K, V]: ...
    @overload
    def __call__(self, *args: P.args, **options: P.kwargs) -> Decorator: ...
    def __call__(self, *stores: Any, **options: Any) -> Any:  # type: ignore[misc]
        """Wrap a store, a store class, a mapping, or a function; without one, return a decorator."""
        return self.wrap(*stores, **options)

    def wrap(self, *stores: Any, **options: Any) -> Any:  # docstring inherited
        if len(stores) != 1 or not _is_function(stores[0]):
            return super().wrap(*stores, **options)
        self._check_names(options)
        self._try({**options, "cache": dict})
        return _over_function(stores[0], **options)


def function_wrapper(change: Callable[Concatenate[Any, P], Pipeline]) -> FunctionWrapper[P]:
    """Make a wrapper as `wrapper` does, which also takes functions."""
    return FunctionWrapper[P](change)


def _is_function(source: Any) -> bool:
    return callable(source) and not isinstance(source, type) and not hasattr(type(source), "__getitem__")


def _over_function(
    function: Callable[[Any], Any], *, cache: Any = dict, max_age: float | None = None, **others: Any
) -> Any:
    """Return a store of the results of a function, which calls it for missing ones."""
    for name, value in others.items():
        if value not in (None, "reads"):
            raise InvalidArgumentError(
                f"{name}= is for sources that have versions, or can be written; a function has only results"
            )
    if callable(cache) and not isinstance(cache, Mapping):
        cache = cache()
    kept = cache if isinstance(cache, Store) else Store(cache)
    return on_missing(kept if max_age is None else expiring(kept, ttl=max_age), compute=function)
