"""Wrappers that add methods to a store."""

from collections.abc import Callable, Container, Iterable
from types import MethodType
from typing import Any, Concatenate, ParamSpec, TypeVar

from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.store import Pipeline, Store
from holdall.wrappers._base import Methods, Wrapper, added_method, wrapper

__all__ = ["add_ipython_key_completions", "aliases", "appendable", "with_methods"]

S = TypeVar("S", bound=Store[Any, Any])
K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")


@added_method
def _read(self: Any, key: Any) -> Any:
    """Return the value of a key."""
    return self[key]


@added_method
def _write(self: Any, key: Any, value: Any) -> None:
    """Store a value under a key."""
    self[key] = value


@added_method
def _write_value_first(self: Any, value: Any, key: Any) -> None:
    """Store a value under a key; the value comes first."""
    self[key] = value


@added_method
def _delete(self: Any, key: Any) -> None:
    """Delete a key."""
    del self[key]


@added_method
def _exists(self: Any, key: Any) -> bool:
    """Return whether a key is there."""
    return key in self


@added_method
def _list(self: Any) -> list[Any]:
    """Return the keys."""
    return list(self)


@added_method
def _count(self: Any) -> int:
    """Return the number of items."""
    return len(self)


_VERBS: dict[str, Callable[..., Any]] = {
    "read": _read,
    "delete": _delete,
    "exists": _exists,
    "list": _list,
    "count": _count,
}


def _verbs(*, value_first: bool = False, **words: Any) -> dict[str, Callable[..., Any]]:
    verbs = {**_VERBS, "write": _write_value_first if value_first else _write}
    given = {verb: word for verb, word in words.items() if word is not None}
    for verb, word in given.items():
        if not (isinstance(word, str) and word.isidentifier()):
            raise InvalidArgumentError(f"the word for {verb!r} must be a name, got {shown(word)}")
    return {word: verbs[verb] for verb, word in given.items()}


def with_methods(
    methods: Methods, replaces: Container[str] = ()
) -> Callable[[Callable[Concatenate[Any, P], Pipeline]], Wrapper[P]]:
    """Make a wrapper from a function, as `wrapper` does, that also adds methods to the store."""

    def decorate(change: Callable[Concatenate[Any, P], Pipeline]) -> Wrapper[P]:
        return Wrapper(change, methods, replaces)

    return decorate


@with_methods(_verbs)
def aliases(
    store: Store[Any, Any],
    *,
    read: str | None = None,
    write: str | None = None,
    delete: str | None = None,
    exists: str | None = None,
    list: str | None = None,
    count: str | None = None,
    value_first: bool = False,
) -> Pipeline:
    """Add names of your own for the dict operations of a store.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.
    read, write, delete, exists, list, count
        The names of the methods to add; None for no method.
    value_first
        Whether the method to write takes the value first, as ``json.dump`` does.

    Raises
    ------
    InvalidArgumentError
        If a name is not an identifier, or the store has a method of that name.

    Notes
    -----
    The dict operations stay. Type checkers do not see the new names; for that, write a subclass.

    Examples
    --------
    >>> from holdall.wrappers import aliases
    >>> store = aliases({}, read="load", write="dump", list="names", value_first=True)
    >>> store.dump([1, 2], "a")
    >>> store.load("a"), store.names()
    ([1, 2], ['a'])
    """
    del read, write, delete, exists, list, count, value_first
    return store.pipeline


class _Append:
    """Store an item under the key that is made from it."""

    from_wrapper = True

    def __init__(self, item2kv: Callable[[Any], tuple[Any, Any]]) -> None:
        self.item2kv = item2kv

    def __get__(self, store: Any, owner: Any = None) -> Any:  # binds as functions do
        return self if store is None else MethodType(self, store)

    def __call__(self, store: Any, item: Any) -> None:
        key, value = self.item2kv(item)
        store[key] = value


class _Extend(_Append):
    """Store several items, at once where the store can."""

    def __call__(self, store: Any, items: Iterable[Any]) -> None:
        store.update(map(self.item2kv, items))


def _appending(*, item2kv: Callable[[Any], tuple[Any, Any]]) -> dict[str, Callable[..., Any]]:
    if not callable(item2kv):
        raise InvalidArgumentError(f"item2kv must be a function, got {type(item2kv).__name__}")
    return {"append": _Append(item2kv), "extend": _Extend(item2kv)}


@with_methods(_appending)
def appendable(store: Store[Any, Any], *, item2kv: Callable[[Any], tuple[Any, Any]]) -> Pipeline:
    """Add ``append`` and ``extend``, which store items under keys that are made from them.

    Parameters
    ----------
    store
        A store, a store class, or any mapping; it gets ``append(item)`` and ``extend(items)``.
    item2kv
        Returns a key and a value for an item.

    Raises
    ------
    InvalidArgumentError
        If `item2kv` is not a function, or the store has such methods.

    Notes
    -----
    An item with an existing key replaces the stored one; wrap the store in `append_only` to refuse that.

    Examples
    --------
    >>> from holdall.wrappers import appendable
    >>> people = appendable({}, item2kv=lambda person: (person["name"], person))
    >>> people.append({"name": "Ada", "born": 1815})
    >>> people.extend([{"name": "Alan", "born": 1912}])
    >>> list(people), people["Ada"]["born"]
    (['Ada', 'Alan'], 1815)
    """
    del item2kv  # used by the methods
    return store.pipeline


@wrapper
def add_ipython_key_completions(store: Store[Any, Any]) -> Pipeline:
    """Complete the keys of any mapping in interactive shells; every store does so already.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.

    Examples
    --------
    >>> from holdall.wrappers import add_ipython_key_completions
    >>> add_ipython_key_completions({"tea": 1})._ipython_key_completions_()
    ['tea']
    """
    return store.pipeline
