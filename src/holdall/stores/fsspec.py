"""A store in a folder of any file system that fsspec knows."""

from typing import Any

from holdall._options import given, not_imported
from holdall.abc import KeyedSerializer
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._place import under
from holdall.store._typing import K, V
from holdall.stores._paths import path_codec

__all__ = ["FsspecStore"]


class FsspecStore(Store[K, V]):
    """A folder as a dict, in any file system of fsspec: SFTP, FTP, Dropbox, Google, Azure, HTTP.

    Parameters
    ----------
    url
        The folder, as a URL of fsspec: ``sftp://host/folder``, ``ftp://``, ``gs://``, ``abfs://``,
        ``dropbox://``, ``hf://``, ``smb://``, ``memory://``; read-only: ``http://``, ``github://`` and
        ``zip://``.
    serializer
        How values are written: a name, a `Serializer`, or anything with ``dumps`` and ``loads``. None for
        JSON.
    keys
        As for `FileDirStore`.
    suffix
        As for `FileDirStore`.
    trust
        Whether to load pickles, which everyone with write access there could have written; those of
        ``memory://`` and ``file://`` are always loaded.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.
    **options
        The options of the file system, such as ``username`` and ``password``. With SFTP, FTP and the web,
        ``timeout`` is how many seconds to wait for a server that says nothing, 60 unless given.

    Raises
    ------
    InvalidArgumentError
        If fsspec knows no such file system.
    UnsupportedError
        If fsspec or the package of the file system is not installed; raised also by all conditional
        operations.
    UntrustedStoreError
        When a value is read that could run code, and `trust` was not given.
    StoreUnavailableError
        If the file system cannot be reached.

    Notes
    -----
    Threads and processes: any number may read and write; each value is either the old or the new one as a
    whole where the file system can rename, or writes in one request. fsspec has no compare-and-swap, so
    `transform_item`, `increment`, `edit` and the like raise `UnsupportedError`, and of several who call
    `setdefault` or `pop` at once more than one may win. After a crash: returned writes are there, as far as
    the server keeps them. Cost: one to four requests per operation. For S3, and for Google and Azure with
    conditions, see `S3Store` and `ObjectStorePersister`.

    Examples
    --------
    >>> store = FsspecStore("memory://notes")
    >>> store["a/b"] = {"loss": 0.5}
    >>> store["a/b"], list(store)
    ({'loss': 0.5}, ['a/b'])
    """

    def __init__(
        self,
        url: str,
        *,
        serializer: Any = None,
        keys: Any = None,
        suffix: str | None = None,
        trust: bool = False,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
        **options: Any,
    ) -> None:
        named = given(locals())
        named |= named.pop("options")
        how = get_serializer("json" if serializer is None else serializer)
        try:
            from holdall.persisters.fsspec import FsspecPersister  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise not_imported("FsspecStore", error, "fsspec") from error
        guard = how.runs_code if isinstance(how, KeyedSerializer) else how.executes_code
        own = trust or str(url).startswith(("memory:", "file:"))
        persister = FsspecPersister(url, guard=not own and guard, **options)
        self._params = named
        self._assemble(
            persister, path_codec(keys, suffix, how), how, value_type=value_type, append_only=append_only
        )

    @property
    def url(self) -> str:
        """The folder, as it was given."""
        return str(under(self)[0].url)
