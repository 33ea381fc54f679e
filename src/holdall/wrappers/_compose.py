"""Composition of wrappers."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.store import Store

__all__ = ["Stack", "compose"]

S = TypeVar("S", bound=Store[Any, Any])
K = TypeVar("K")
V = TypeVar("V")


class Stack:
    """Several wrappers as one, made by `compose`.

    Parameters
    ----------
    wrappers
        The wrappers, in the order of application.
    """

    def __init__(self, wrappers: tuple[Callable[[Any], Any], ...]) -> None:
        self.wrappers = wrappers

    @overload
    def __call__(self, store: type[S], /) -> type[S]: ...
    @overload
    def __call__(self, store: S, /) -> S: ...
    @overload
    def __call__(self, store: type[Mapping[K, V]], /) -> type[Store[K, V]]: ...
    @overload
    def __call__(self, store: Mapping[K, V], /) -> Store[K, V]: ...
    def __call__(self, store: Any, /) -> Any:
        """Wrap a store, a store class, or a mapping, by one wrapper after the other."""
        for one in self.wrappers:
            store = one(store)
        return store

    def __repr__(self) -> str:
        return f"compose({', '.join(map(repr, self.wrappers))})"


def compose(*wrappers: Callable[[Any], Any]) -> Stack:
    """Make one reusable wrapper from several.

    Parameters
    ----------
    *wrappers
        Wrappers, those with options called with these options alone. The first is applied first, so that the
        last one is outermost.

    Returns
    -------
    Stack
        To be called with a store, a store class, or any mapping.

    Raises
    ------
    InvalidArgumentError
        If one of them cannot be called.

    Examples
    --------
    >>> from holdall import MemoryStore
    >>> from holdall.wrappers import compose, filt_iter, read_only, wrap_kvs
    >>> texts = compose(filt_iter(suffix=".txt"), wrap_kvs(obj_of_data=bytes.decode), read_only)
    >>> @texts
    ... class Notes(MemoryStore):
    ...     '''Text, to be read.'''
    >>> dict(Notes({"a.txt": b"one", "b.png": b""}))
    {'a.txt': 'one'}
    """
    for one in wrappers:
        if isinstance(one, type) or not callable(one):
            raise InvalidArgumentError(f"compose takes wrappers, got {shown(one)}")
    return Stack(wrappers)
