"""What a persister may claim, and the data that it is given to store."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

__all__ = ["Capability", "Data", "Unary", "join_parts"]

#: Any function of one argument, such as those in the pipeline of a store.
Unary: TypeAlias = Callable[[Any], Any]

#: What a serializer passes to a persister: bytes, or pieces that need not be joined to be written.
Data: TypeAlias = bytes | list[bytes | bytearray | memoryview]


class Capability(Enum):
    """What a persister claims; the conformance suite checks every claim."""

    WRITABLE = "items can be stored and deleted"
    PERSISTENT = "reopening the same place finds the same items"
    BYTES = "data are bytes; without this claim they may be any object"
    MTIME = "stats carry the time of the last modification"
    CHEAP_STAT = "`in`, `len` and `stat` never read data"
    STREAMING = "`fetch` gives large data as a file, and writes take data in pieces"
    TRANSACTIONS = "several writes are made as one, or none of them"
    CAS_THREADS = "compare-and-swap is linearizable among the threads of a process"
    CAS_HOST = "compare-and-swap is linearizable among the processes of a machine"
    CAS_WORLD = "compare-and-swap is linearizable among machines"


def join_parts(data: Any) -> Any:
    """Join data that a serializer returned in pieces.

    Parameters
    ----------
    data
        Data of any kind; only lists of buffers are joined.

    Examples
    --------
    >>> join_parts([b"head", memoryview(b"body")])
    b'headbody'
    """
    return b"".join(data) if type(data) is list else data
