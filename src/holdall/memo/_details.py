"""What is known of each result in a store: when it was computed, its size, and what computing it cost."""

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from holdall.errors import HoldallError
from holdall.memo._pickles import ResultPickles, seconds_of
from holdall.serializers.pickle_ import FILLER_SIZE
from holdall.store import StorePersister

__all__ = ["Details", "Result"]


class Result(NamedTuple):
    """The description of a result in a store."""

    #: Its key among the entries.
    key: Any
    #: The arguments of the call as text; None unless the function was memoized with ``readable=True``.
    arguments: str | None
    #: When it was computed, in seconds of `time.time`.
    time: float
    #: How many bytes it takes; None where the store has no sizes.
    bytes: int | None
    #: How many seconds it took to compute; None where neither the store nor this process knows.
    seconds: float | None


class Details:
    """The method ``details`` of the entries of a memoized function.

    Parameters
    ----------
    known
        The results in memory.
    """

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self._known = {} if known is None else known

    def __call__(self, store: Any) -> list[Result]:
        """Return the description of each result, the last one first."""
        persister = store.pipeline.persister
        tells = isinstance(store.pipeline.serializer, ResultPickles)
        place = StorePersister(store)
        results = []
        for key, stat in place.scan():
            seconds = _told(persister, place.id_of(key)) if tells else None
            if seconds is None:
                seconds = getattr(self._known.get(key), "seconds", None)
            name = key if isinstance(key, str) else str(key[-1])
            arguments, mark, _ = name.rpartition(" #")
            results.append(Result(key, arguments if mark else None, stat.mtime, stat.size, seconds))
        return sorted(results, key=lambda result: result.time, reverse=True)

    def __reduce__(self) -> Any:
        """Pickle without the results in this memory."""
        return Details, ()


def _told(persister: Any, id: Any) -> float | None:
    """Return the seconds written in data; of a file, only the last bytes are read."""
    try:
        data = persister.fetch(id, 0)
        if isinstance(data, bytes | bytearray | memoryview):
            return seconds_of(bytes(data[-FILLER_SIZE:]))
        with data as file:
            file.seek(-FILLER_SIZE, io.SEEK_END)
            return seconds_of(file.read(FILLER_SIZE))
    except (KeyError, OSError, HoldallError):  # deleted meanwhile, too small, or not trusted
        return None
