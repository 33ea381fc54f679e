"""Paths into nested mappings: reading, writing and walking.

They work on dicts, stores, stores of dicts, and lists within them. `holdall.wrappers.flatten` makes a store
of nested mappings.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final

from holdall._shown import shown
from holdall.errors import InvalidKeyError, SerializationError
from holdall.store import Store

__all__ = ["leaf_paths", "path_get", "path_set", "walk"]

_NO_DEFAULT: Final = object()


def path_get(mapping: Any, path: Any, default: Any = _NO_DEFAULT, *, sep: str = "/") -> Any:
    """Return the value at a path in nested mappings and lists.

    Parameters
    ----------
    mapping
        The outermost mapping.
    path
        A tuple or list of keys, or text, which is split at each `sep`. In a list, a key is an index, as a
        number or its digits.
    default
        What to return if there is nothing at the path.
    sep
        The separator of keys in text.

    Raises
    ------
    KeyError
        If there is nothing at the path and no default; the message has the path up to the missing key.

    Examples
    --------
    >>> settings = {"server": {"hosts": ["a", "b"]}}
    >>> path_get(settings, "server/hosts/1"), path_get(settings, ("server", "port"), 80)
    ('b', 80)
    """
    keys = _keys(path, sep)
    for count, key in enumerate(keys, 1):
        try:
            mapping = _step(mapping, key)
        except SerializationError:  # a TypeError, but there is a value
            raise
        except (KeyError, IndexError, TypeError):
            if default is not _NO_DEFAULT:
                return default
            raise KeyError(path if count == len(keys) else _path(path, keys[:count], sep)) from None
    return mapping


def path_set(mapping: Any, path: Any, value: Any, *, sep: str = "/") -> None:
    """Store a value at a path in nested mappings, making dicts on the way.

    Parameters
    ----------
    mapping
        The outermost mapping; in a store, the whole item that contains the value is written again.
    path
        As for `path_get`.
    value
        The value to store.
    sep
        The separator of keys in text.

    Raises
    ------
    InvalidKeyError
        If something on the way is neither a mapping nor a list.

    Examples
    --------
    >>> settings = {}
    >>> path_set(settings, "server/port", 80)
    >>> settings
    {'server': {'port': 80}}
    """
    keys = _keys(path, sep)
    places = [mapping]
    for count, key in enumerate(keys[:-1], 1):
        try:
            inner = _step(places[-1], key)
        except (KeyError, IndexError):
            inner = {}
        if not isinstance(inner, MutableMapping | list):
            raise InvalidKeyError(
                f"{shown(_path(path, keys[:count], sep))} holds {type(inner).__name__}, with nothing below it"
            )
        places.append(inner)
    # From the inside out, since a store gives copies of what it holds.
    for place, key in reversed(list(zip(places, keys, strict=True))):
        place[_index(place, key)] = value
        if isinstance(place, Store):
            return
        value = place


def walk(mapping: Any, *, max_depth: int | None = None) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the paths and values of nested mappings, each level in its order.

    Parameters
    ----------
    mapping
        The outermost mapping.
    max_depth
        The maximal length of a path; deeper mappings are yielded as values. None for no limit.

    Examples
    --------
    >>> list(walk({"a": {"b": 1, "c": {}}, "d": 2}))
    [(('a', 'b'), 1), (('a', 'c'), {}), (('d',), 2)]
    """
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), mapping)]
    while waiting:
        path, value = waiting.pop()
        deeper = isinstance(value, Mapping) and (max_depth is None or len(path) < max_depth)
        if path and not (deeper and value):
            yield path, value
        elif deeper:
            waiting += [((*path, key), below) for key, below in reversed(list(value.items()))]


def leaf_paths(mapping: Any, *, sep: str | None = None) -> list[Any]:
    """Return the paths of all values of nested mappings that are not mappings.

    Parameters
    ----------
    mapping
        The outermost mapping.
    sep
        The separator for paths as text; None for tuples.

    Examples
    --------
    >>> leaf_paths({"a": {"b": 1}, "d": 2}, sep="/")
    ['a/b', 'd']
    """
    paths = (path for path, _ in walk(mapping))
    return list(paths) if sep is None else [sep.join(map(str, path)) for path in paths]


def _keys(path: Any, sep: str) -> list[Any]:
    keys = path.split(sep) if isinstance(path, str) else list(path)
    if not keys or "" in keys:
        raise InvalidKeyError(f"a path has one key or more, and none is empty, got {shown(path)}")
    return keys


def _step(mapping: Any, key: Any) -> Any:
    if isinstance(mapping, Sequence) and not isinstance(mapping, str | bytes):
        return mapping[_index(mapping, key)]
    if not hasattr(mapping, "keys"):
        raise KeyError(key)
    return mapping[key]


def _index(mapping: Any, key: Any) -> Any:
    if isinstance(mapping, Sequence) and isinstance(key, str):
        try:
            return int(key)
        except ValueError:
            raise KeyError(key) from None
    return key


def _path(path: Any, keys: list[Any], sep: str) -> Any:
    return sep.join(map(str, keys)) if isinstance(path, str) else tuple(keys)
