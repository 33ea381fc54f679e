"""Frames of pandas, in formats that other programs read: Parquet, Feather and CSV."""

import contextlib
import io
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from holdall.errors import InvalidArgumentError
from holdall.serializers._document import optional
from holdall.serializers._exact import ExactSerializer, alike

__all__ = ["FeatherSerializer", "FrameCsvSerializer", "ParquetSerializer"]


class _FrameSerializer(ExactSerializer):
    """A format of frames that refuses to lose a name, a type, an index, a flag or an attribute."""

    @abstractmethod
    def _bytes(self, frame: Any) -> bytes:
        """Return the data of a frame."""

    def _write(self, value: Any) -> bytes:
        frames = optional("pandas", self.name, "parquet")
        if not isinstance(value, frames.DataFrame):
            raise TypeError(f"a value is a pandas.DataFrame, got {type(value).__name__}")
        return self._bytes(value)

    def _equal(self, written: Any, read: Any) -> bool:
        return same_frame(written, read)


class ParquetSerializer(_FrameSerializer):
    """A `pandas.DataFrame` as a Parquet file. Loading never runs code.

    Parameters
    ----------
    compression
        ``"snappy"``, ``"gzip"``, ``"zstd"`` or None, as in pandas.
    strict
        Whether to refuse a frame that would not come back equal, with its index, names, types, attributes and
        flags.

    Raises
    ------
    UnsupportedError
        If pandas or pyarrow is not installed: they come with the extra ``holdall[parquet]``.

    Notes
    -----
    The ``freq`` of an index or of columns of times is kept where its name says all of it, as ``"D"`` and
    ``"15min"`` do; other programs do not see it. One that its name does not say, as of a calendar of
    holidays, is refused. Levels of a `pandas.MultiIndex` come back without.

    Examples
    --------
    >>> import pandas
    >>> kept = ParquetSerializer()
    >>> kept.loads(kept.dumps(pandas.DataFrame({"n": [1, 2]})))["n"].tolist()
    [1, 2]
    """

    name = "parquet"
    suffix = ".parquet"
    options = ("compression", "strict")

    def __init__(self, *, compression: str | None = "snappy", strict: bool = True) -> None:
        optional("pyarrow.parquet", "parquet", "parquet")
        optional("pandas", "parquet", "parquet")
        self.compression = compression
        self.strict = strict

    def _bytes(self, frame: Any) -> bytes:
        file = io.BytesIO()
        freqs = _freqs(frame)
        if not freqs:
            frame.to_parquet(file, engine="pyarrow", compression=self.compression)
        else:  # what pandas itself does, with a word more in the metadata
            table = _with_freqs(
                optional("pyarrow", "parquet", "parquet").Table.from_pandas(frame), frame, freqs
            )
            write = optional("pyarrow.parquet", "parquet", "parquet").write_table
            write(table, file, compression=self.compression or "none")
        return file.getvalue()

    def _read(self, data: bytes) -> Any:
        frame = optional("pandas", "parquet", "parquet").read_parquet(io.BytesIO(data), engine="pyarrow")
        if any(_is_of_times(getattr(frame, axis)) for axis in _FREQS):
            _set_freqs(frame, optional("pyarrow.parquet", "parquet", "parquet").read_schema(io.BytesIO(data)))
        return frame

    def _equal(self, written: Any, read: Any) -> bool:
        return same_frame(written, read) and same_freq(written, read)


class FeatherSerializer(_FrameSerializer):
    """A `pandas.DataFrame` as a Feather file (Arrow): fast, and as large as in memory. Loading runs no code.

    Parameters
    ----------
    compression
        ``"lz4"``, ``"zstd"``, or None.
    strict
        Whether to refuse a frame that would not come back equal, with its index, names, types, attributes and
        flags.

    Raises
    ------
    InvalidArgumentError
        If there is no such compression.
    UnsupportedError
        If pandas or pyarrow is not installed: they come with the extra ``holdall[parquet]``.

    Notes
    -----
    The ``freq`` of an index or of columns of times is kept where its name says all of it, as ``"D"`` and
    ``"15min"`` do; other programs do not see it. One that its name does not say, as of a calendar of
    holidays, is refused. Levels of a `pandas.MultiIndex` come back without.

    Examples
    --------
    >>> import pandas
    >>> kept = FeatherSerializer()
    >>> kept.loads(kept.dumps(pandas.DataFrame({"n": [1, 2]}, index=["a", "b"])))["n"]["b"]
    np.int64(2)
    """

    name = "feather"
    suffix = ".feather"
    options = ("compression", "strict")

    def __init__(self, *, compression: str | None = "lz4", strict: bool = True) -> None:
        optional("pyarrow.feather", "feather", "parquet")
        optional("pandas", "feather", "parquet")
        if compression not in ("lz4", "zstd", None):
            raise InvalidArgumentError(f"compression is 'lz4', 'zstd' or None, got {compression!r}")
        self.compression = compression
        self.strict = strict

    def _bytes(self, frame: Any) -> bytes:
        file = io.BytesIO()
        table = optional("pyarrow", "feather", "parquet").Table.from_pandas(frame)  # index included
        freqs = _freqs(frame)
        if freqs:
            table = _with_freqs(table, frame, freqs)
        optional("pyarrow.feather", "feather", "parquet").write_feather(
            table, file, compression=self.compression or "uncompressed"
        )
        return file.getvalue()

    def _read(self, data: bytes) -> Any:
        feather = optional("pyarrow.feather", "feather", "parquet")
        table = feather.read_table(io.BytesIO(data), memory_map=False)
        frame = table.to_pandas()
        _set_freqs(frame, table.schema)
        return frame

    def _equal(self, written: Any, read: Any) -> bool:
        return same_frame(written, read) and same_freq(written, read)


class FrameCsvSerializer(_FrameSerializer):
    r"""A `pandas.DataFrame` as CSV, readable by any spreadsheet. Loading never runs code.

    Parameters
    ----------
    types
        Types of columns by name, or one type for all, as the ``dtype`` of `pandas.read_csv`; None to let
        pandas guess.
    dates
        Names of columns that contain times.
    index
        Whether the index is written, as the first column, and read.
    delimiter
        The character between cells.
    encoding
        Any text encoding.
    strict
        Whether to refuse a frame that would not come back equal with these options.

    Raises
    ------
    UnsupportedError
        If pandas is not installed: it comes with the extra ``holdall[parquet]``.

    Notes
    -----
    An index of times comes back without its ``freq``.

    Examples
    --------
    >>> import pandas
    >>> kept = FrameCsvSerializer(types={"code": "object"})
    >>> data = kept.dumps(pandas.DataFrame({"code": pandas.Series(["007"], dtype="object"), "n": [1.5]}))
    >>> data, kept.loads(data)["code"][0]
    (b'code,n\n007,1.5\n', '007')
    """

    name = "pandas-csv"
    suffix = ".csv"
    options = ("types", "dates", "index", "delimiter", "encoding", "strict")

    def __init__(
        self,
        *,
        types: Mapping[str, Any] | str | None = None,
        dates: Sequence[str] = (),
        index: bool = False,
        delimiter: str = ",",
        encoding: str = "utf-8",
        strict: bool = True,
    ) -> None:
        optional("pandas", self.name, "parquet")
        self.types = dict(types) if isinstance(types, Mapping) else types
        self.dates = tuple(dates)
        self.index = index
        self.delimiter = delimiter
        self.encoding = encoding
        self.strict = strict

    def __hash__(self) -> int:
        return hash((type(self), self.dates, self.index, self.delimiter, self.encoding, self.strict))

    def _bytes(self, frame: Any) -> bytes:
        text = frame.to_csv(index=self.index, sep=self.delimiter, lineterminator="\n")
        return bytes(text.encode(self.encoding))

    def _read(self, data: bytes) -> Any:
        frames = optional("pandas", self.name, "parquet")
        old = tuple(map(int, frames.__version__.split(".")[:2])) < (3, 1)  # fast, but wrong in the last digit
        return frames.read_csv(
            io.BytesIO(data),
            sep=self.delimiter,
            encoding=self.encoding,
            dtype=self.types,
            parse_dates=list(self.dates),
            index_col=0 if self.index else None,
            **({"float_precision": "round_trip"} if old else {}),
        )


# Under what name the metadata of a table hold the freq of an axis, which pandas leaves out.
_FREQS = {"index": b"holdall.freq", "columns": b"holdall.freq.columns"}


def _is_of_times(index: Any) -> bool:
    return hasattr(type(index), "inferred_freq")  # periods and intervals have their freq in their type


def _freqs(frame: Any) -> dict[bytes, bytes]:
    """Return the metadata with the names of the freqs of a frame."""
    indexes = {name: getattr(frame, axis) for axis, name in _FREQS.items()}
    return {
        name: index.freqstr.encode()
        for name, index in indexes.items()
        if _is_of_times(index) and index.freq is not None
    }


def _with_freqs(table: Any, frame: Any, freqs: dict[bytes, bytes]) -> Any:
    """Return the table with freqs and attributes of a frame in its metadata."""
    metadata = {**(table.schema.metadata or {}), **freqs}
    if frame.attrs:
        metadata[b"PANDAS_ATTRS"] = json.dumps(frame.attrs).encode()
    return table.replace_schema_metadata(metadata)


def _set_freqs(frame: Any, schema: Any) -> None:
    """Give axes of times the freq that they were written with, unless others have changed the times."""
    for axis, name in _FREQS.items():
        index, freq = getattr(frame, axis), (schema.metadata or {}).get(name)
        if freq is not None and _is_of_times(index):
            with contextlib.suppress(ValueError):
                index.freq = freq.decode()


def same_freq(one: Any, other: Any) -> bool:
    """Tell whether the axes of a frame came back with their freq."""
    return all(
        bool(getattr(getattr(one, axis), "freq", None) == getattr(getattr(other, axis), "freq", None))
        for axis in _FREQS
    )


def same_frame(one: Any, other: Any) -> bool:
    """Return whether a frame came back with everything but the freq of its axes."""
    return (
        type(one) is type(other)
        and alike(one.attrs, other.attrs)
        and one.flags.allows_duplicate_labels == other.flags.allows_duplicate_labels
        and _same_index(one.index, other.index)
        and _same_index(one.columns, other.columns)
        and list(one.dtypes) == list(other.dtypes)
        and bool(one.equals(other))
        and all(
            alike(list(one.iloc[:, at]), list(other.iloc[:, at]))
            for at, dtype in enumerate(one.dtypes)
            if dtype == "object"
        )
    )


def _same_index(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or list(one.names) != list(other.names) or not one.equals(other):
        return False
    if one.nlevels > 1:
        at = range(one.nlevels)
        return all(_same_index(one.get_level_values(n), other.get_level_values(n)) for n in at)
    return bool(one.dtype == other.dtype) and (one.dtype != "object" or alike(list(one), list(other)))
