"""A store in one file of nested tables: INI, TOML, JSON, YAML."""

import contextlib
import os
from typing import Any

from holdall._options import Durability, checked_path, given
from holdall._posix.lock import TIMEOUT
from holdall._shown import PATH, shown
from holdall.abc import NOT_MINE, KeyCodec, Serializer
from holdall.errors import InvalidKeyError, UnsupportedError
from holdall.keys import as_key_codec
from holdall.persisters.document import DocumentPersister, path_of, spelled
from holdall.serializers import by_suffix, get_serializer
from holdall.store import Store
from holdall.store._typing import K, V

__all__ = ["DocumentStore"]


class DocumentStore(Store[K, V]):
    """One configuration file as a dict: keys are paths to its values, such as ``"server/port"``.

    Parameters
    ----------
    path
        The file; made by the first write.
    serializer
        The format of the file: ``"ini"``, ``"toml"``, ``"json"``, ``"yaml"``, or another serializer of dicts
        whose loading runs no code. None selects it by the suffix of the file. A new JSON file is
        indented, unless a serializer object says otherwise.
    keys
        None for text, with ``/`` between the names of tables and of the value; `tuple` for tuples of names.
        In text, a ``/`` or ``%`` of a name itself is ``%2F`` or ``%25``, and an empty name is ``%``.
    durability
        What a returned write survives: ``"process"`` or ``"power"``, as for `FileDirStore`.
    read_only
        Whether to refuse writes; the file must exist then.
    timeout
        Seconds to wait for other writers; `StoreTimeoutError` names them.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    StoreNotFoundError
        If there is no such file to read.
    CorruptValueError
        If the file cannot be read in its format; raised by any verb that reads it.
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Dicts are tables (sections), and never values: ``get_subdict("server")`` is a store of one. In an INI file
    all values are text in a section.

    In INI, JSON, YAML and TOML (by tomlkit, of the extra ``holdall[toml]``) a write changes only the text of
    its own value and keeps the rest: comments, order, white space, quotes, the notation of numbers. So it is
    in ``"orjson"``, and under layers, as ``"yaml.gz"``. Where tables of a YAML file share a value by an alias
    or a merge key, only the written one changes: the others get a copy. Comments inside of a replaced value
    are lost. The whole file is rewritten, without comments, only where the text of a value cannot be
    separated from the rest, and in other formats.

    Threads and processes: any number may read and write; conditional operations are linearizable on the
    machine. After a crash: the whole old or the whole new file. Cost: each write writes the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "settings.ini")
    >>> settings = DocumentStore(path)
    >>> settings.update({"server/host": "example.org", "server/port": "80"})
    >>> print(pathlib.Path(path).read_text().strip())
    [server]
    host = example.org
    port = 80
    >>> dict(settings.get_subdict("server"))
    {'host': 'example.org', 'port': '80'}
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        serializer: Any = None,
        keys: Any = None,
        durability: Durability = "process",
        read_only: bool = False,
        timeout: float = TIMEOUT,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        where = checked_path(path, "file")
        how: Any = _format_of(where) if serializer is None else get_serializer(serializer)
        if how.name in {"json", "orjson"} and not isinstance(serializer, Serializer):
            how = type(how)(indent=2)  # of a new file, for its readers; one that is there keeps its own
        codec: KeyCodec[Any]
        codec = TablePaths(tuples=keys is tuple) if keys in (None, str, tuple) else as_key_codec(keys)
        self._params = {**options, "path": where}
        self._assemble(
            DocumentPersister(where, how, durability=durability, read_only=read_only, timeout=timeout),
            codec,
            None,
            value_type=value_type,
            append_only=append_only,
        )

    @property
    def nbytes(self) -> int:
        """Bytes that the file takes, all tables together."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.getsize(self._params["path"])
        return 0


def _format_of(path: str) -> Serializer[Any]:
    try:
        return by_suffix(other=None).for_id(path)
    except UnsupportedError:
        raise UnsupportedError(
            f"the suffix of {shown(path, PATH)} stands for no format: name one, as in serializer='toml'"
        ) from None


class TablePaths(KeyCodec[Any]):
    """Paths to values in nested tables, as text or as tuples of names.

    Parameters
    ----------
    tuples
        Whether keys are tuples of names.

    Examples
    --------
    >>> TablePaths(tuples=True).encode(("paths", "a/b"))
    'paths/a%2Fb'
    """

    def __init__(self, *, tuples: bool = False) -> None:
        self.tuples = tuples

    def encode(self, key: Any) -> str:  # docstring inherited
        if self.tuples:
            names = (key,) if isinstance(key, str) else key
            if isinstance(names, tuple) and names and all(isinstance(name, str) for name in names):
                return spelled(names)
        elif isinstance(key, str) and path_of(key) is not None:
            return str.__str__(key)
        what = "a tuple of names" if self.tuples else "text, with '/' between names, and '%' as '%25'"
        raise InvalidKeyError(f"a path to a value is {what}, got {shown(key)}")

    def decode(self, id: str) -> Any:  # docstring inherited
        path = path_of(id)
        if path is None:
            return NOT_MINE
        return tuple(path) if self.tuples else id

    def id_prefix(self, prefix: Any) -> str:  # docstring inherited
        return "" if prefix == () else self.encode(prefix) + "/"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TablePaths) and self.tuples == other.tuples

    def __hash__(self) -> int:
        return hash(self.tuples)
