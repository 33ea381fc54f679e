"""A store that reads a tar archive."""

from typing import Any

from holdall._options import given
from holdall.abc import KeyedSerializer
from holdall.persisters.tar import TarReader
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._typing import K, V
from holdall.stores._paths import fitted_to, path_codec

__all__ = ["TarStore"]


class TarStore(Store[K, V]):
    """A tar archive as a read-only dict: one plain file per value.

    Parameters
    ----------
    archive
        A path, bytes, or a seekable binary file: plain or compressed by gzip, bzip2 or xz.
    serializer
        How values were written: ``by_suffix()``, or a name such as ``"json"``. None returns members as bytes,
        under their whole names.
    keys, suffix
        As for `ZipStore`.
    trust
        Whether to load pickles that other users could have written; those of bytes and open files always
        could.
    encoding
        The encoding of names, such as ``"iso8859-1"``, where the archive does not record it.

    Raises
    ------
    StoreNotFoundError
        If there is no such archive.
    InvalidArgumentError
        If an option is invalid.
    CorruptValueError
        If it is not a tar archive, or is damaged; raised by any verb that reads it.

    Notes
    -----
    Members whose names could lead out of a folder or are not in `encoding`, links and devices are not items;
    `left_out` lists them.

    Threads, processes: any number. After a crash: nothing was written. Cost: the whole archive is read once
    to find its members; in a compressed one, reading continues from the current position, or begins again, so
    read in the order of iteration.

    Examples
    --------
    >>> import io, tarfile
    >>> file = io.BytesIO()
    >>> with tarfile.open(fileobj=file, mode="w:xz") as archive:
    ...     info = tarfile.TarInfo("conf/a.json")
    ...     info.size = 6
    ...     archive.addfile(info, io.BytesIO(b"[1, 2]"))
    >>> dict(TarStore(file, serializer="json"))
    {'conf/a': [1, 2]}
    """

    def __init__(
        self,
        archive: Any,
        *,
        serializer: Any = None,
        keys: Any = None,
        suffix: str | None = None,
        trust: bool = False,
        encoding: str = "utf-8",
    ) -> None:
        options = given(locals())
        how = get_serializer("bytes" if serializer is None else serializer)
        guard = how.runs_code if isinstance(how, KeyedSerializer) else how.executes_code
        self._tar = TarReader(archive, guard=not trust and guard, encoding=encoding)
        self._assemble(self._tar, fitted_to(self._tar, path_codec(keys, suffix, how)), how)
        self._params = options

    @property
    def left_out(self) -> list[str]:
        """Names in the archive that are not items: unsafe and unreadable ones, links and devices."""
        return self._tar.left_out
