"""A store that reads a tar archive."""

from typing import Any, TypeVar

from holdall._options import given
from holdall.abc import KeyedSerializer
from holdall.persisters.tar import TarReader
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.stores._paths import path_codec

__all__ = ["TarStore"]

K = TypeVar("K")
V = TypeVar("V")


class TarStore(Store[K, V]):
    """A tar archive as a dict that can only be read: a plain file a value.

    Parameters
    ----------
    archive
        A path, bytes, or an open binary file that can seek: plain or compressed by gzip, bzip2 or xz.
    serializer
        How values were written: ``by_suffix()``, or a name such as ``"json"``. None takes members for what
        they are: bytes, under their whole names.
    keys, suffix
        As for `ZipStore`.
    trust
        Whether to load pickles that other users could have written; those of bytes and open files always
        could.
    encoding
        In which names were written, such as ``"iso8859-1"``, where the archive does not tell.

    Raises
    ------
    StoreNotFoundError
        If there is no such archive.
    InvalidArgumentError
        If an option is not one of those above.
    CorruptValueError
        If it is no tar archive, or a damaged one; from any verb that looks into it.

    Notes
    -----
    Members whose names could lead out of a folder or are not in `encoding`, links and devices are no items;
    `left_out` tells of them.

    Threads, processes: any number. After a crash: nothing was written. Cost: the archive is read through once
    to find its members; in a compressed one, reading goes on from where it stands, or begins anew, so read in
    the order of iteration.

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
        self._assemble(self._tar, path_codec(keys, suffix, how), how)
        self._params = options

    @property
    def left_out(self) -> list[str]:
        """Names in the archive under which no items lie: unsafe and unreadable ones, links and devices."""
        return self._tar.left_out
