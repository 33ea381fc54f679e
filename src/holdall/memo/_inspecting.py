"""The content of a store of memoized functions: which functions, which versions, how much."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from holdall.errors import ConflictError
from holdall.memo._places import open_store
from holdall.store import StorePersister

__all__ = ["Kept", "drop", "inspect", "outdated"]


class Kept(NamedTuple):
    """The results of one version of a function."""

    #: The name of the function; after ``/~`` a digest of its closure.
    function: str
    #: The version; "" of one with ``version=None``.
    version: str
    #: How many results there are.
    results: int
    #: How many bytes they take; None if the store does not know sizes.
    bytes: int | None
    #: When the first and the last of them were computed, in seconds of `time.time`.
    first: float
    last: float


def inspect(place: Any) -> list[Kept]:
    """Return what is kept for which functions, in a store of memoized functions.

    Parameters
    ----------
    place
        A store, a mapping, or a path, as for `holdall.memoize`.

    Returns
    -------
    list[Kept]
        By name of the function, the version that was written to last first.

    Raises
    ------
    StoreUnavailableError
        If the store cannot be opened.

    Examples
    --------
    >>> import holdall, holdall.memo
    >>> cache = holdall.MemoryStore()
    >>> square = holdall.memoize(cache, name="square", version="v1")(lambda x: x * x)
    >>> square(2) + square(3)
    13
    >>> [kept] = holdall.memo.inspect(cache)
    >>> kept.function, kept.version, kept.results
    ('square', 'v1', 2)
    """
    found: dict[tuple[str, str], Kept] = {}
    for function, version, _, stat in _results(StorePersister(open_store(place))):
        kept = found.get((function, version)) or Kept(function, version, 0, 0, stat.mtime, stat.mtime)
        found[function, version] = kept._replace(
            results=kept.results + 1,
            bytes=None if stat.size is None or kept.bytes is None else kept.bytes + stat.size,
            first=min(kept.first, stat.mtime),
            last=max(kept.last, stat.mtime),
        )
    return sorted(found.values(), key=lambda kept: (kept.function, -kept.last, kept.version))


def outdated(all_kept: list[Kept]) -> list[Kept]:
    """Return all versions except, for each function, the one that was written to last."""
    functions: set[str] = set()
    old = []
    for kept in all_kept:
        if kept.function in functions:
            old.append(kept)
        functions.add(kept.function)
    return old


def drop(place: Any, wanted: Callable[[str, str], bool]) -> int:
    """Delete the results of some functions and versions; return how many."""
    persister = StorePersister(open_store(place))
    count = 0
    for function, version, key, stat in list(_results(persister)):
        if wanted(function, version):
            try:
                persister.remove(key, stat.etag)
            except (KeyError, ConflictError):  # deleted or renewed meanwhile
                continue
            count += 1
    return count


def _results(persister: StorePersister) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield functions, versions, keys and stats of all results."""
    for key, stat in persister.scan():
        parts = key.split("/") if isinstance(key, str) else key
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            continue  # something else that lies in the store
        for i, part in enumerate(parts[:-1]):
            if part[:1] == "@":
                version = part[1:].replace("%2F", "/").replace("%25", "%")
                yield "/".join(parts[:i]), version, key, stat
                break
