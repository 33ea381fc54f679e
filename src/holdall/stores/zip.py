"""A store in a zip archive."""

from typing import Any, Literal

from holdall._options import Durability, given
from holdall._posix.lock import TIMEOUT
from holdall.abc import KeyedSerializer
from holdall.persisters.zip import ZipPersister
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._typing import K, V
from holdall.stores._paths import fitted_to, path_codec

__all__ = ["ZipStore"]


class ZipStore(Store[K, V]):
    """A zip archive as a dict: one entry per value.

    Parameters
    ----------
    archive
        A path, where the first write makes the archive; the bytes of an archive; None for a new one in
        memory; or a seekable binary file.
    serializer
        How values are written, as for `FileDirStore`: ``by_suffix()`` and names such as ``"json"``. None
        returns entries as bytes, under their whole names.
    keys
        How keys are named: None for `PathKeys`, text with ``/`` for folders; ``tuple`` for tuples of text; a
        `KeyCodec`, as ``Suffix("")`` for unchanged names; or a pair of functions.
    suffix
        Suffix of all names; None for the serializer's own. Other entries are ignored.
    compression
        The method for new entries: ``"deflate"``, ``"store"`` (none), ``"bzip2"`` or ``"lzma"``.
    level
        The compression level: 0 to 9; None for the default.
    durability
        What a returned write survives: ``"process"`` or ``"power"``, as for `FileDirStore`.
    read_only
        Whether to refuse writes; an archive under a path must exist then.
    timeout
        Seconds to wait for other writers of an archive under a path; `StoreTimeoutError` names them.
    trust
        Whether to load pickles that other users could have written; those of bytes and open files always
        could.
    max_bytes
        How many bytes an entry may have when decompressed for reading, as a small archive can contain
        enormous ones; more raise `ValueTooLargeError`. None for no limit.
    metadata_encoding
        The encoding of names that the archive does not mark as UTF-8, such as ``"cp932"`` or ``"gbk"``.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    StoreNotFoundError
        If the archive is only to be read and does not exist.
    CorruptValueError
        If it is not a zip archive, or is damaged; raised by any verb that reads it.
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Entries whose names could lead out of a folder or cannot be read, symbolic links and devices are not
    items: they are never listed, read or copied. `left_out` lists them. Entries that are not written stay as
    they are, names included.

    Threads, processes: any number may read and write an archive under a path; conditional operations are
    linearizable on the machine, plain writes included. After a crash: there is always a whole archive, the
    one before a write or the one after it. Cost: each write copies the archive, so use ``update``, which
    copies it once and stores all items or, after an error, none.

    Examples
    --------
    >>> store = ZipStore(serializer="json")
    >>> store.update({"a": 1, "b/c": [2]})
    >>> sorted(store), ZipStore(store.data())["b/c.json"]
    (['a', 'b/c'], b'[2]')
    """

    def __init__(
        self,
        archive: Any = None,
        *,
        serializer: Any = None,
        keys: Any = None,
        suffix: str | None = None,
        compression: Literal["store", "deflate", "bzip2", "lzma"] = "deflate",
        level: int | None = None,
        durability: Durability = "process",
        read_only: bool = False,
        timeout: float = TIMEOUT,
        trust: bool = False,
        max_bytes: int | None = None,
        metadata_encoding: str = "cp437",
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        how = get_serializer("bytes" if serializer is None else serializer)
        persister = ZipPersister(
            archive,
            compression=compression,
            level=level,
            durability=durability,
            read_only=read_only,
            timeout=timeout,
            guard=not trust and (how.runs_code if isinstance(how, KeyedSerializer) else how.executes_code),
            max_bytes=max_bytes,
            metadata_encoding=metadata_encoding,
        )
        self._zip = persister
        codec = fitted_to(persister, path_codec(keys, suffix, how))
        self._assemble(persister, codec, how, value_type=value_type, append_only=append_only)
        self._params = options

    @property
    def left_out(self) -> list[str]:
        """Names that are not items: unsafe and unreadable ones, links and devices."""
        return self._zip.left_out

    def data(self) -> bytes:
        """Return the whole archive, as the bytes of a file; none if nothing was ever stored."""
        return self._zip.data()
