"""The options of a spilling place, and what it tells of itself."""

from typing import Any, NamedTuple

from holdall._eviction import make_policy
from holdall._eviction.amounts import memory_of_machine, parse_size
from holdall.errors import InvalidArgumentError

__all__ = ["SpillStats", "budget_of", "checked_options"]

_USUAL = 10**9  # bytes
_SHARE = 0.25  # of the memory, where that is less


class SpillStats(NamedTuple):
    """What a spilling place has done and what it holds.

    Parameters
    ----------
    hits, misses
        Reads that found the value in memory, and reads that had to load it.
    evictions
        Values that had to leave memory.
    bytes_read, bytes_written
        Data that went to and from the slow side.
    links, copies
        Items that `SpillStore.update` took from another store by a hard link, and by reading and writing.
    seconds_loading
        Time that loads took.
    budget
        Bytes that values may take in memory: what is bounded.
    memory
        Bytes that they take now, as counted.
    held
        Bytes of values that have left the budget but that somebody still holds.
    disk
        Bytes that the slow side takes.
    unserializable
        Keys of values that cannot be stored, with what their serializer said; they count in `memory`.
    unserializable_bytes
        Bytes that those take.
    index_bytes
        Bytes that keys and accounts take beside the values; not part of the budget.
    """

    hits: int
    misses: int
    evictions: int
    bytes_read: int
    bytes_written: int
    links: int
    copies: int
    seconds_loading: float
    budget: int
    memory: int
    held: int
    disk: int
    unserializable: dict[Any, str]
    unserializable_bytes: int
    index_bytes: int


def checked_options(**options: Any) -> dict[str, Any]:
    """Return the options of a spilling place with sizes in bytes, if all are valid.

    Parameters
    ----------
    **options
        As of `SpillPersister`.

    Raises
    ------
    InvalidArgumentError
        If one is not valid.
    """
    for name, choice in (("writeback", ("check", "always", "never")), ("sync", ("flush", "always"))):
        if options[name] not in choice:
            raise InvalidArgumentError(f"{name} is one of {choice}, got {options[name]!r:.80}")
    for name in ("sizeof", "on_miss", "on_overflow"):
        if options[name] is not None and not callable(options[name]):
            raise InvalidArgumentError(f"{name} is a function of one argument, got {options[name]!r:.80}")
    budget = budget_of(options["memory"])
    make_policy(options["policy"], budget)
    disk = options["disk"]
    return {**options, "memory": budget, "disk": None if disk is None else parse_size(disk, "disk")}


def budget_of(memory: float | str | None) -> int:
    """Return a budget in bytes.

    Parameters
    ----------
    memory
        As in `SpillPersister`.

    Raises
    ------
    InvalidArgumentError
        If it is no size, or 0.

    Examples
    --------
    >>> budget_of("1.5 MB")
    1500000
    """
    if memory is None:
        return min(_USUAL, int(memory_of_machine() * _SHARE))
    budget = parse_size(memory, "memory")
    if not budget:
        raise InvalidArgumentError("memory is the room for values, in bytes: it must be more than 0")
    return budget
