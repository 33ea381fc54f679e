"""The options of a spilling persister, and its statistics."""

from typing import Any, NamedTuple

from holdall._eviction import make_policy
from holdall._eviction.amounts import memory_of_machine, parse_size
from holdall._shown import shown
from holdall.errors import InvalidArgumentError

__all__ = ["SpillStats", "budget_of", "checked_options"]

_USUAL = 10**9  # bytes
_SHARE = 0.25  # of the memory, if that is less


class SpillStats(NamedTuple):
    """The counts and sizes of a spilling persister.

    Parameters
    ----------
    hits, misses
        Reads that found the value in memory, and reads that had to load it.
    evictions
        Values that were evicted from memory.
    bytes_read, bytes_written
        Bytes read from and written to the slow store.
    links, copies
        Items that `SpillStore.update` took from another store by a hard link, and by reading and writing.
    seconds_loading
        Seconds spent loading.
    budget
        The limit: bytes that values may take in memory.
    memory
        Bytes that they take now, as counted.
    held
        Bytes of values that no longer count but are still held elsewhere.
    disk
        Bytes that the slow store takes.
    unserializable
        Keys of values that cannot be stored, with their serializer's error; they count in `memory`.
    unserializable_bytes
        Bytes that those take.
    index_bytes
        Bytes of keys and bookkeeping for the values in memory; not part of the limit.
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
    """Return the options of a spilling persister with sizes in bytes; raise if one is invalid.

    Parameters
    ----------
    **options
        Those of `SpillPersister`.

    Raises
    ------
    InvalidArgumentError
        If one is invalid.
    """
    for name, choice in (("writeback", ("check", "always", "never")), ("sync", ("flush", "always"))):
        if options[name] not in choice:
            raise InvalidArgumentError(f"{name} is one of {choice}, got {shown(options[name])}")
    for name in ("sizeof", "on_miss", "on_overflow"):
        if options[name] is not None and not callable(options[name]):
            raise InvalidArgumentError(f"{name} is a function of one argument, got {shown(options[name])}")
    budget = budget_of(options["memory"])
    make_policy(options["policy"], budget)
    disk = options["disk"]
    return {**options, "memory": budget, "disk": None if disk is None else parse_size(disk, "disk")}


def budget_of(memory: float | str | None) -> int:
    """Return a limit in bytes.

    Parameters
    ----------
    memory
        As in `SpillPersister`.

    Raises
    ------
    InvalidArgumentError
        If it is not a size, or is 0.

    Examples
    --------
    >>> budget_of("1.5 MB")
    1500000
    """
    if memory is None:
        machine = memory_of_machine()
        return _USUAL if machine is None else min(_USUAL, int(machine * _SHARE))
    budget = parse_size(memory, "memory")
    if not budget:
        raise InvalidArgumentError("memory is the room for values, in bytes: it must be more than 0")
    return budget
