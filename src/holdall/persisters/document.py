"""A persister over one file of nested tables: one id per value, made from the path to it."""

import copy
import math
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from holdall._options import Durability
from holdall._posix.lock import TIMEOUT, check_timeout
from holdall._shown import shown
from holdall._whole import open_atomic
from holdall.abc import Capability, Persister, Serializer, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import (
    CorruptValueError,
    InvalidArgumentError,
    InvalidKeyError,
    ReadOnlyError,
    SerializationError,
    StoreNotFoundError,
    UnsupportedError,
)

__all__ = ["DocumentPersister", "path_of", "spelled"]


def spelled(path: Iterable[str]) -> str:
    """Return the id of a value: the names of its tables and its own, joined by ``/``.

    Examples
    --------
    >>> spelled(["tool", "a/b", ""])
    'tool/a%2Fb/%'
    """
    return "/".join(name.replace("%", "%25").replace("/", "%2F") or "%" for name in path)


def path_of(id: str) -> list[str] | None:
    """Undo `spelled`; return None for an id that it never returns."""
    path = ["" if name == "%" else unquote(name, errors="surrogatepass") for name in id.split("/")]
    return path if spelled(path) == id else None


# Bytes that are read in 30 ms, by the slowest formats.
_AT_HAND, _AT_HAND_YAML = 100_000, 5_000


class DocumentPersister(Persister):
    """A file of nested dicts: ids are paths to values that are not dicts, and data are the values.

    Parameters
    ----------
    path
        The file; made by the first write.
    serializer
        The serializer of the whole document; its loading must run no code.
    durability
        ``"process"`` or ``"power"``, as for folders.
    read_only
        Whether to refuse writes; the file must exist then.
    timeout
        Seconds to wait for other writers.

    Raises
    ------
    StoreNotFoundError
        If there is no such file to read.
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Threads and processes: any number; writers take turns by a lock on the file, readers never wait. After a
    crash: the old or the new file as a whole. Cost: the file is read again when it has changed, and every
    write writes the whole file. All values have the etag of the file, so a conditional write conflicts with
    any other write to the file; values have no times of their own.

    Examples
    --------
    >>> import os, pathlib, tempfile
    >>> from holdall.serializers import get_serializer
    >>> path = os.path.join(tempfile.mkdtemp(), "a.json")
    >>> persister = DocumentPersister(path, get_serializer("json"))
    >>> persister["server/port"] = 80
    >>> pathlib.Path(path).read_text(), list(persister)
    ('{"server": {"port": 80}}', ['server/port'])
    """

    def __init__(
        self,
        path: Any,
        serializer: Serializer[Any],
        *,
        durability: Durability = "process",
        read_only: bool = False,
        timeout: float = TIMEOUT,
    ) -> None:
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        if serializer.executes_code:
            raise InvalidArgumentError(f"{serializer.name} can run code when it reads: give another format")
        self.serializer = serializer
        self._format, self._layers = _unlayered(serializer)
        if hasattr(self._format, "prepare_edits") and not read_only:
            self._format.prepare_edits()  # now, as imports fail while a process ends
        self.read_only = read_only
        self._whole = open_atomic(path, power=durability == "power", timeout=check_timeout(timeout))
        self._seen: tuple[Any, dict[str, Any]] | None = None
        self._made = False
        claims = {Capability.CHEAP_STAT, Capability.PERSISTENT}
        if not read_only:
            claims |= {Capability.WRITABLE, Capability.CAS_THREADS, Capability.CAS_HOST}
        elif self._whole.state() is None:
            raise StoreNotFoundError(2, "there is no such file to read", self.place)
        self.capabilities = frozenset(claims)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_seen": None}

    @property
    def at_hand(self) -> bool:  # docstring inherited
        limit = _AT_HAND_YAML if self._format.name == "yaml" else _AT_HAND
        if self._layers:
            limit //= 10  # text is often compressed to so much of it
        return self._whole.is_at_hand(self._seen and self._seen[0], limit)

    @property
    def place(self) -> str:  # docstring inherited
        return self._whole.place

    @property
    def owned(self) -> bool:
        """Whether this handle made the file; files written by hand are not cleared by mistake."""
        return self._made or self._whole.state() is None

    # ------------------------------------------------------------------ reading

    def _now(self) -> tuple[Any, dict[str, Any]]:
        """Return the state of the file and the values in it, by id."""
        seen, state = self._seen, self._whole.state()
        if seen is None or seen[0] != state:
            state, document, _ = self._load()
            self._seen = seen = state, dict(_leaves(document, []))
        return seen

    def _load(self) -> tuple[Any, dict[str, Any], bytes]:
        """Read the file: its state, its values, and its bytes without layers."""
        file, state = self._whole.open() or (None, None)
        if file is None:
            return None, {}, b""
        with file:
            data = file.read()
        try:
            for layer in self._layers:
                data = layer.unwrap(data)
            document = self._format.loads(data) if data.strip() else {}
            if document is None and getattr(self._format, "none_is_empty", False):
                document = {}
        except Exception as error:
            raise CorruptValueError(f"{self.place} cannot be read: {error}") from error
        if not isinstance(document, dict):
            raise CorruptValueError(f"{self.place} holds a {type(document).__name__}, and no table of names")
        try:
            return state, _unshared(document, ()), data
        except RecursionError:
            raise CorruptValueError(f"{self.place} is nested too deeply") from None
        except ValueError as error:
            raise CorruptValueError(f"{self.place} cannot be read: {error}") from error

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        state, values = self._now()
        try:
            value = values[id]
        except KeyError:
            error = KeyError(id)
            below = next((other for other in values if other.startswith(f"{id}/")), None)
            if below is not None:
                error.add_note(
                    f"{id!r} is a table of {self.place}, and no value: get_subdict({id!r}) is a store of it, "
                    f"and {below!r} is a value in it"
                )
            raise error from None
        return copy.deepcopy(value), _stat(state)

    def __getitem__(self, id: str) -> Any:
        return self.read(id)[0]

    def stat(self, id: str) -> Stat:  # docstring inherited
        state, values = self._now()
        if id not in values:
            raise KeyError(id)
        return _stat(state)

    def __contains__(self, id: object) -> bool:
        return id in self._now()[1]

    def __len__(self) -> int:
        return len(self._now()[1])

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._now()[1]))

    def close(self) -> None:  # docstring inherited
        self._seen = None

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self._change([(id, data)])

    __setitem__ = put

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return self._change([(id, data)], expected={id: expected})

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items by writing the file once: all of them, or after an error none."""
        self._change(list(items))

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._change([], drop=[id], expected={id: expected}, must_exist=True)

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        self._change([], drop=list(ids))

    def _change(
        self,
        items: list[tuple[str, Any]],
        *,
        drop: Iterable[str] = (),
        expected: dict[str, Expected] | None = None,
        must_exist: bool = False,
    ) -> Stat:
        if self.read_only:
            raise ReadOnlyError(f"{self.place} was opened to be read only")

        def change() -> Stat:
            state, document, old = self._load()
            there = dict(_leaves(document, []))
            for id, wanted in (expected or {}).items():
                actual: Etag = _stat(state).etag if id in there else ITEM_NOT_AVAILABLE
                if wanted is not ANY_ETAG and actual != wanted:
                    raise conflict(self, id, wanted, actual)
            gone = [id for id in drop if id in there]
            if must_exist and not gone:
                raise KeyError(*drop)
            drops = [path_of(id) or [] for id in gone]
            puts = [(self._path(id), copy.deepcopy(value)) for id, value in items]
            for path in drops:
                _delete(document, path)
            for path, value in puts:
                _insert(document, path, value, self.place)
            if gone or items:
                self._made = self._made or state is None
                self._replace(document, old, puts, drops)
            return _stat(self._whole.state())

        return self._whole.locked(change)

    def _path(self, id: Any) -> list[str]:
        path = path_of(id) if isinstance(id, str) else None
        if path is None:
            raise InvalidKeyError(
                f"{shown(id, 120)} is no path of names in {self.place}: see DocumentPersister"
            )
        return path

    def _replace(
        self,
        document: dict[str, Any],
        old: bytes,
        puts: list[tuple[list[str], Any]],
        drops: list[list[str]],
    ) -> None:
        # Formats that can change a part of a text and keep the rest have a method for that.
        edit = getattr(self._format, "edit", None)
        try:
            data = None if edit is None else edit(old, document, puts, drops)
            if data is None:
                data = self._format.dumps(document)
            for layer in reversed(self._layers):
                data = layer.wrap(data)
        except UnsupportedError:
            raise
        except Exception as error:
            raise SerializationError(f"{self.place} was not written, and stays as it is: {error}") from error
        self._whole.replace(lambda file: file.write(data))


def _unlayered(serializer: Any) -> tuple[Any, list[Any]]:
    """Return the format of a document, and the layers over it, the outermost first."""
    layers = []
    while callable(getattr(serializer, "unwrap", None)):
        layers.append(serializer)
        serializer = serializer.inner
    return serializer, layers


def _unshared(table: dict[Any, Any], above: tuple[int, ...]) -> dict[Any, Any]:
    """Copy tables, so that a table that occurs several times in a document is changed only once."""
    if id(table) in above:
        raise ValueError("a table is in itself, by an alias")
    inside = (*above, id(table))
    return {
        name: _unshared(value, inside) if isinstance(value, dict) else value for name, value in table.items()
    }


def _leaves(table: dict[Any, Any], above: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield all values that are not tables, by id; values below names that are not text are skipped."""
    for name, value in table.items():
        if not isinstance(name, str):
            continue
        path = [*above, name]
        if isinstance(value, dict):
            yield from _leaves(value, path)
        else:
            yield spelled(path), value


def _insert(document: dict[str, Any], path: list[str], value: Any, location: str) -> None:
    """Insert a value at its path, making tables, but replacing no value by a table."""
    if isinstance(value, dict):
        raise SerializationError(
            f"a dict would be a table of {location}, not a value: write its items one by one, as by "
            f"get_subdict({'/'.join(path)!r}).update(...)",
        )
    table = document
    for name in path[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise InvalidKeyError(f"{spelled(path)!r} cannot be in {location}: {name!r} is a value there")
    if isinstance(table.get(path[-1]), dict):
        raise InvalidKeyError(f"{spelled(path)!r} cannot be a value in {location}: it is a table there")
    table[path[-1]] = value


def _delete(table: dict[str, Any], path: list[str]) -> None:
    """Delete a value, and the tables that become empty."""
    name, *rest = path
    if rest:
        _delete(table[name], rest)
        if table[name]:
            return
    del table[name]


def _stat(state: Any) -> Stat:
    if state is None:
        return Stat("", math.nan, None)
    return Stat("-".join(f"{part:x}" for part in state), math.nan, None)
