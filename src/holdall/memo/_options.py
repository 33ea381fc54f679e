"""The options of a memoized function, checked."""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any

from holdall._eviction import POLICIES, PolicyName
from holdall._eviction.amounts import parse_size
from holdall._options import MmapMode
from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.memo._places import Bounds

__all__ = ["AUTOMATIC", "MEMORY", "SOURCE", "Options"]

#: The version that follows the code.
SOURCE = "source"


class _Default:
    """The value in a signature for an option that was not given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name


#: The default limit of memory: none without a store, where memory is all there is, and 10,000 results with
#: one.
AUTOMATIC: Any = _Default("AUTOMATIC")
#: The default: only memory.
MEMORY: Any = _Default("MEMORY")
_BESIDE_A_STORE = 10_000


@dataclass(frozen=True)
class Options:
    """The options of `memoize`, which documents them."""

    place: Any = None
    key: Callable[..., Any] | None = None
    ignore: Any = ()
    typed: bool = False
    ttl: float | None = None
    version: str | int | None = SOURCE
    name: str | None = None
    maxsize: Any = AUTOMATIC
    max_bytes: float | str | None = None
    max_items: int | None = None
    max_age: float | None = None
    policy: PolicyName = "lru"
    cache_if: Callable[[Any], Any] | None = None
    valid: Callable[[Any], Any] | None = None
    lock: bool = True
    lease: float | None = 30
    copy: bool = True
    mmap_mode: MmapMode | None = None
    readable: bool = False
    identity: Any = ()
    beta: float | None = None
    errors_ttl: float | None = None
    off: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.place, str | os.PathLike):  # relative to the current folder
            object.__setattr__(self, "place", os.path.abspath(self.place))
        for field in fields(self):
            value = getattr(self, field.name)
            check = _CHECKS.get(field.name)
            if check is not None and value is not None and not check[0](value):
                raise InvalidArgumentError(f"{field.name}= must be {check[1]}, got {shown(value)}")
        if self.beta and self.life is None:
            raise InvalidArgumentError("beta= recomputes before the end of ttl=: give ttl=, too")
        if self.mmap_mode is not None and self.place is None:
            raise InvalidArgumentError("mmap_mode= maps results from files: give a place")
        if not isinstance(self.place, str) and (self.max_items is not None or self.policy != "lru"):
            raise InvalidArgumentError(
                "max_items= and policy= bound the file or folder of a path: bound a store of your own by "
                "holdall.wrappers.bounded, and memory by maxsize="
            )

    @classmethod
    def switched_off(cls, options: dict[str, Any]) -> "Options":
        """Return the options of a function that is not memoized; invalid ones are still refused."""
        of_places = {"max_items", "max_age", "mmap_mode", "policy"}
        chosen = cls(**{name: value for name, value in options.items() if name not in of_places})
        return replace(chosen, maxsize=0, lock=False, off=True)

    @property
    def life(self) -> float | None:
        """For how many seconds a result is valid; None for no limit."""
        spans = [span for span in (self.ttl, self.max_age) if span is not None]
        return min(spans, default=None)

    @property
    def bounds(self) -> Bounds:
        """The limits of the store of a path."""
        return Bounds(self.nbytes, self.max_items, self.policy, self.mmap_mode is not None)

    @property
    def nbytes(self) -> int | None:
        """How many bytes memory, and the store of a path, may take."""
        return None if self.max_bytes is None else parse_size(self.max_bytes, "max_bytes=")

    @property
    def memory_limit(self) -> int | None:
        """How many results memory may hold."""
        if self.maxsize is AUTOMATIC:
            return None if self.place is None else _BESIDE_A_STORE
        return self.maxsize  # type: ignore[no-any-return]


def _number(value: Any) -> bool:
    return type(value) in {int, float} and value >= 0


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _size(value: Any) -> bool:
    try:
        return parse_size(value) >= 0
    except InvalidArgumentError:
        return False


def _flag(value: Any) -> bool:
    return type(value) is bool


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and all(part and part[0] not in "@~" for part in value.split("/"))


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "key": (callable, "a function of the same arguments"),
    "typed": (_flag, "True or False"),
    "ttl": (_number, "a number of seconds, or None"),
    "version": (lambda v: type(v) in {str, int} and v != "", 'text, a number, "source" or None'),
    "name": (_is_name, "text, of which no part between slashes is empty or begins with @ or ~"),
    "maxsize": (lambda v: v is AUTOMATIC or _whole(v), "a number of results, or None"),
    "max_bytes": (_size, 'a number of bytes, text such as "500MB", or None'),
    "max_items": (lambda v: type(v) is int and v > 0, "a number of results from 1, or None"),
    "max_age": (lambda v: _number(v) and v > 0, "a number of seconds, or None"),
    "beta": (_number, "a number from 0, or None"),
    "errors_ttl": (_number, "a number of seconds, or None"),
    "policy": (lambda v: v in POLICIES, f"one of {', '.join(map(repr, POLICIES))}"),
    "cache_if": (callable, "a function of the result"),
    "valid": (callable, "a function of a Hit"),
    "lock": (_flag, "True or False"),
    "lease": (lambda v: _number(v) and 0 < v < inf, "a number of seconds, or None"),
    "copy": (_flag, "True or False"),
    "mmap_mode": (lambda v: v in {"r", "c"}, "'r' or 'c', or None: else changes would bypass the store"),
    "readable": (_flag, "True or False"),
}
