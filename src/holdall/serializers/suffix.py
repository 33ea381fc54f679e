"""The format chosen by the end of a name."""

from collections.abc import Mapping
from typing import Any

from holdall._shown import shown
from holdall.abc import KeyedSerializer, Serializer
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.serializers import get_serializer, over

__all__ = ["BySuffix", "by_suffix"]

_TSV = "tsv"  # a csv with tabs; only a suffix, not a registered name
_USUAL: dict[str, Any] = {
    ".bin": "bytes",
    ".cbor": "cbor",
    ".cfg": "ini",
    ".csv": "csv",
    ".feather": "feather",
    ".ini": "ini",
    ".json": "json",
    ".log": "text",
    ".md": "text",
    ".msgpack": "msgpack",
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pickle": "pickle",
    ".pkl": "pickle",
    ".rst": "text",
    ".toml": "toml",
    ".tsv": _TSV,
    ".txt": "text",
    ".xlsx": "xlsx",
    ".yaml": "yaml",
    ".yml": "yaml",
}

# Layers that can follow the format in a name, and that need no key.
_LAYERS = {".bz2": "bz2", ".gz": "gz", ".lz4": "lz4", ".xz": "xz", ".zst": "zst"}


class BySuffix(KeyedSerializer[Any]):
    """A serializer chosen by the end of a name; see `by_suffix`."""

    name = "by_suffix"
    suffix = ""  # keys contain it
    executes_code = True

    def __init__(self, table: Mapping[str, Any] | None = None, *, other: Any = "bytes") -> None:
        self.table: dict[str, Any] = {}
        for suffix, spec in (table or {}).items():
            if not str(suffix).startswith(".") or suffix == ".":
                raise InvalidArgumentError(f"a suffix is like '.json', got {suffix!r}")
            self.table[suffix.lower()] = spec if spec is None else get_serializer(spec)
        self.other = other if other is None else get_serializer(other)
        self._found: dict[str, Serializer[Any]] = {}

    def for_id(self, id: str) -> Serializer[Any]:  # docstring inherited
        name = id.rpartition("/")[2].lower()
        found = self._by_end(name)
        below, dot, ending = name.rpartition(".")
        if found is None and (layer := _LAYERS.get(dot + ending)):
            inner = self._by_end(below)
            found = inner and over(layer, inner)
        if found is None:
            found = self.other
        if found is None:
            raise UnsupportedError(
                f"the suffix of {shown(id, 120)} stands for no format: name one, as in "
                f"by_suffix({{{_last(name)!r}: 'text'}}), or give by_suffix(other='bytes')",
            )
        return found

    def _by_end(self, name: str) -> Serializer[Any] | None:
        """Return the serializer of the longest known suffix of a name."""
        dot = name.find(".", 1)
        while dot > 0:
            suffix = name[dot:]
            if suffix in self.table:
                return self.table[suffix]  # type: ignore[no-any-return]
            if suffix in _USUAL:
                if suffix not in self._found:
                    self._found[suffix] = _usual(_USUAL[suffix])
                return self._found[suffix]
            dot = name.find(".", dot + 1)
        return None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_found": {}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BySuffix) and (self.table, self.other) == (other.table, other.other)

    def __hash__(self) -> int:
        return hash((frozenset(self.table), self.other))

    def __repr__(self) -> str:
        parts = [repr(self.table)] if self.table else []
        other = "bytes" if self.other == get_serializer("bytes") else self.other
        return f"by_suffix({', '.join(parts + ([] if other == 'bytes' else [f'other={other!r}']))})"


def by_suffix(table: Mapping[str, Any] | None = None, *, other: Any = "bytes") -> BySuffix:
    """Return a serializer that is chosen by the end of each key; the key keeps its suffix.

    Parameters
    ----------
    table
        More suffixes, or other serializers for known ones, by suffix: each anything that `get_serializer`
        takes, including a pair of functions, one that writes and one that reads. None removes a suffix. They
        have precedence over the default ones: ``.json``, ``.csv`` and ``.tsv`` (rows), ``.txt``, ``.md``,
        ``.rst`` and ``.log`` (text), ``.toml``, ``.ini`` and ``.cfg``, ``.yaml`` and ``.yml``, ``.npy``,
        ``.npz``, ``.parquet``, ``.feather``, ``.msgpack``, ``.cbor``, ``.xlsx``, ``.pkl`` and ``.pickle``,
        ``.bin``; and each of these followed by ``.gz``, ``.bz2``, ``.xz``, ``.zst`` or ``.lz4``.
    other
        The serializer of all other keys; None to refuse them with `UnsupportedError`.

    Notes
    -----
    Upper and lower case are the same. For pickles only, owner and mode of the file are checked before
    loading, as in all stores. Packages that a format needs are imported on first use.

    Examples
    --------
    >>> from holdall import FileDirStore
    >>> store = FileDirStore(serializer=by_suffix())
    >>> store["plan.json"] = {"a": [1]}
    >>> store["plan.txt"] = "first a, then b"
    >>> store["table.csv.gz"] = [["a", "b"], ["1", "2"]]
    >>> sorted(store), store["table.csv.gz"][1]
    (['plan.json', 'plan.txt', 'table.csv.gz'], ['1', '2'])
    """
    return BySuffix(table, other=other)


def _usual(name: str) -> Serializer[Any]:
    if name == _TSV:
        from holdall.serializers.csv_ import CsvSerializer  # noqa: PLC0415  loaded when needed

        return CsvSerializer(delimiter="\t")
    return get_serializer(name)


def _last(name: str) -> str:
    return f".{name.rpartition('.')[2]}" if "." in name else ".suffix"
