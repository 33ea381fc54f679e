"""How the dict verbs of a subclass honour its overrides of ``[]``, ``[] =``, ``del`` and iteration.

The verbs of a store call its persister directly, past these four methods. A class that overrides one of them
gets, when it is made, verbs that call it; its other verbs, and all other classes, cost nothing.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

from holdall.errors import InvalidKeyError
from holdall.store._many import pairs_of
from holdall.store._progress import Progress

__all__ = ["honour_overrides"]

_NO_DEFAULT: Any = object()


def _iter_items(self: Any) -> Iterator[tuple[Any, Any]]:
    """Yield keys and values; items that vanish meanwhile are skipped."""
    for key in self:
        try:
            value = self[key]
        except KeyError:
            continue
        yield key, value


def _pop(self: Any, key: Any, default: Any = _NO_DEFAULT) -> Any:
    """Delete a key and return its value, or a default if it is absent."""
    try:
        value = self[key]
        del self[key]
    except KeyError:
        if default is _NO_DEFAULT:
            raise
        return default
    return value


def _discard(self: Any, key: Any) -> bool:
    """Delete a key if it is there; return whether it was."""
    try:
        del self[key]
    except KeyError:
        return False
    return True


def _setdefault(self: Any, key: Any, default: Any = None) -> Any:
    """Return the value of a key, inserting a default if it is absent."""
    try:
        return self[key]
    except InvalidKeyError:
        raise
    except KeyError:
        self[key] = default
    return default


def _update(
    self: Any, other: Any = (), progress: Callable[[int], Any] | None = None, /, **named: Any
) -> None:
    """Store the items of a mapping, of pairs, or of keywords, one by one."""
    for key, value in Progress(progress).over(itertools.chain(pairs_of(other), named.items())):
        self[key] = value


def _clear(self: Any, *, force: bool = False) -> None:
    """Delete all items, one by one."""
    self._require_owned(force=force)
    for key in list(self):
        _discard(self, key)


#: Which verbs are replaced where one of the four methods is overridden.
_INSTEAD: Final[dict[str, dict[str, Callable[..., Any]]]] = {
    "__getitem__": {"_iter_items": _iter_items, "pop": _pop, "setdefault": _setdefault},
    "__setitem__": {"update": _update, "setdefault": _setdefault},
    "__delitem__": {"pop": _pop, "discard": _discard, "clear": _clear},
    "__iter__": {"_iter_items": _iter_items, "clear": _clear},
}


def honour_overrides(cls: type, base: type) -> None:
    """Replace the verbs of a class that must call its overrides, except those that it defines itself."""
    for name, verbs in _INSTEAD.items():
        if name not in vars(cls):
            continue
        for verb, function in verbs.items():
            if getattr(cls, verb) is getattr(base, verb):
                setattr(cls, verb, function)
