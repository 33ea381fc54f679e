"""Kept results: private objects, of which callers get copies."""

from typing import Any
from weakref import WeakSet

from holdall.memo._copying import SHALLOW, Copier, copier_of
from holdall.memo._entries import warn

__all__ = ["Held", "Keeping"]

_USED_UP = ("__next__", "__anext__", "__await__")
_ENTERED = ("__enter__", "__aenter__")


class Held:
    """A result that nothing else refers to.

    Parameters
    ----------
    value
        The result.
    copy
        How it is copied for each caller; None if that is not needed.
    """

    __slots__ = ("copy", "made", "seconds", "value")

    def __init__(self, value: Any, copy: Copier | None) -> None:
        self.value = value
        self.copy = copy
        #: When it was computed, in seconds of `time.time`.
        self.made = 0.0
        #: How long that took; None if it was in another process.
        self.seconds: float | None = None

    def given(self) -> Any:
        """Return the result for a caller."""
        return self.value if self.copy is None else self.copy(self.value)


class Keeping:
    """Which results of one function may be kept, and how.

    Parameters
    ----------
    name
        The name of the function.
    copying
        Whether callers get copies.
    mapping
        Whether results are mapped into memory, so that copying would read them.
    """

    def __init__(self, name: str, copying: bool, *, mapping: bool = False) -> None:
        self._mapping = mapping
        self._name = name
        self._copying = copying
        self._told: set[str] = set()
        self._fine: WeakSet[type] = WeakSet()

    def keeps(self, value: Any) -> bool:
        """Return whether a result can be used more than once; warn once if not."""
        cls = type(value)
        if cls in self._fine:
            return True
        if any(hasattr(cls, name) for name in _USED_UP):
            self._say(f"a {cls.__name__}, which can be used only once, and is not kept: return a list")
            return False
        entered = self._copying and any(hasattr(cls, name) for name in _ENTERED)
        if entered and copier_of(value) is not None:
            self._say(f"a {cls.__name__}, which is left after use, and is not kept: copy=False keeps it")
            return False
        self._fine.add(cls)
        return True

    def hold(self, value: Any) -> Held | None:
        """Return a private copy of a result; None if that is not possible."""
        copier = copier_of(value) if self._copying else None
        if copier is None:
            return Held(value, None)
        try:
            copied = copier(value)
        except Exception as error:
            self._cannot_copy(value, error)
            return None
        return Held(copied, None if copied is value else copier)

    def adopt(self, value: Any) -> tuple[Any, Held | None]:
        """Keep a result from a store, and return what a caller gets."""
        held = Held(value, copier_of(value) if self._copying else None)
        if self._mapping and held.copy is not None and held.copy not in SHALLOW:
            return value, None
        try:
            return held.given(), held
        except Exception as error:
            self._cannot_copy(value, error)
            return value, None

    def _cannot_copy(self, value: Any, error: Exception) -> None:
        what = f"a {type(value).__name__}, which cannot be copied, and is not kept in memory"
        self._say(f"{what}: give copy=False if nobody changes it", error)

    def _say(self, what: str, error: Exception | None = None) -> None:
        if what not in self._told:
            self._told.add(what)
            warn(f"{self._name} returns {what}", error)
