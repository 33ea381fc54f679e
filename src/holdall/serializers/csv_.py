"""CSV: rows of text, readable by any spreadsheet."""

import csv
import io
from typing import Any

from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.serializers._document import DocumentSerializer

__all__ = ["CsvSerializer"]

_QUOTING = {
    "minimal": csv.QUOTE_MINIMAL,
    "all": csv.QUOTE_ALL,
    "nonnumeric": csv.QUOTE_NONNUMERIC,
    "none": csv.QUOTE_NONE,
}


class CsvSerializer(DocumentSerializer):
    r"""Rows of text, as a list of lists or, with a header, as a list of dicts. Loading never runs code.

    Parameters
    ----------
    header
        False: a value is a list of rows, each a list of `str`; any CSV file can be read so, completely. True:
        the first line contains the names of the columns, and a value is a list of dicts that all have those
        names.
    dialect
        ``"excel"``, ``"excel-tab"``, ``"unix"``, or another dialect that the module `csv` knows by name or
        class: the defaults of the options below.
    delimiter
        The character between cells, a comma in most dialects.
    quoting
        Which cells are quoted: ``"minimal"``, those that have to be; ``"all"``; ``"none"``, for use with
        `escapechar`; or ``"nonnumeric"``, all but numbers, and unquoted cells are read as `float`.
    quotechar
        The character around quoted cells.
    escapechar
        The character before a special character that is not quoted; None for none.
    encoding
        Any text encoding; ``"utf-8-sig"`` to write a byte order mark, as Excel does. Reading removes the
        mark.
    strict
        Whether to refuse what would not come back equal: cells that are not text, rows that are tuples.
        Otherwise numbers are written as their ``str``, None as an empty cell, and all come back as text.

    Notes
    -----
    By default lines end with ``\r\n``, and cells are quoted where needed, as in RFC 4180; all usual line ends
    are read. Any file is read as `csv.reader` reads it, stray quotes included. With `header`, an empty list
    is written as no data, since there are no names. Cells have at most ``csv.field_size_limit()``
    characters.

    Examples
    --------
    >>> CsvSerializer().dumps([["city", "people"], ["Oslo", "717,710"]])
    b'city,people\r\nOslo,"717,710"\r\n'
    >>> CsvSerializer(header=True).loads(b"city,people\nOslo,7\n")
    [{'city': 'Oslo', 'people': '7'}]
    """

    name = "csv"
    suffix = ".csv"
    options = (
        "header",
        "dialect",
        "delimiter",
        "quoting",
        "quotechar",
        "escapechar",
        "encoding",
        "strict",
    )

    def __init__(
        self,
        *,
        header: bool = False,
        dialect: str | type[csv.Dialect] = "excel",
        delimiter: str | None = None,
        quoting: str | None = None,
        quotechar: str | None = None,
        escapechar: str | None = None,
        encoding: str = "utf-8",
        strict: bool = True,
    ) -> None:
        if quoting is not None and quoting not in _QUOTING:
            raise InvalidArgumentError(f"quoting is one of {', '.join(map(repr, _QUOTING))}, got {quoting!r}")
        self.header = header
        self.dialect = dialect
        self.delimiter = delimiter
        self.quoting = quoting
        self.quotechar = quotechar
        self.escapechar = escapechar
        try:
            csv.writer(io.StringIO(), **self._format())
            if not isinstance(dialect, str | csv.Dialect | type):
                raise TypeError("a dialect is a name or a csv.Dialect")  # noqa: TRY301  (reported like the others)
            if {"\r", "\n"} & {delimiter, quotechar, escapechar}:
                raise ValueError("rows end with a line end, so no other option can be one")  # noqa: TRY301
            "a".encode(encoding)
        except (TypeError, ValueError, LookupError, csv.Error) as error:
            given = {**self._format(), "encoding": encoding}
            raise InvalidArgumentError(
                f"invalid CSV: {', '.join(f'{name}={option!r}' for name, option in given.items())}: {error}"
            ) from error
        self.encoding = encoding
        self.strict = strict

    def _format(self) -> dict[str, Any]:
        """Return the options for the module csv."""
        given = {name: getattr(self, name) for name in ("delimiter", "quotechar", "escapechar")}
        given["quoting"] = None if self.quoting is None else _QUOTING[self.quoting]
        return {"dialect": self.dialect, **{name: what for name, what in given.items() if what is not None}}

    def _write(self, value: Any) -> str:
        if not isinstance(value, list) and (self.strict or isinstance(value, str | bytes)):
            raise TypeError(f"a value is a list of rows, got {type(value).__name__}")
        file = io.StringIO(newline="")
        writer = csv.writer(file, **self._format())
        if self.header:
            names: list[Any] | None = None
            for row in value:
                if not isinstance(row, dict):
                    raise TypeError(f"with header=True a row is a dict, got {type(row).__name__}")
                if names is None:
                    names = list(row)
                    writer.writerow(names)
                elif row.keys() != set(names):
                    raise ValueError(
                        f"a row has columns {shown(list(row), 100)}, others have {shown(names, 100)}"
                    )
                writer.writerow([row[name] for name in names])
        else:
            for row in value:
                if isinstance(row, dict):
                    raise TypeError("rows are lists; for dicts use CsvSerializer(header=True)")
                if isinstance(row, str):
                    raise TypeError("a row is a list of cells, got str")
                writer.writerow(row)
        return file.getvalue()

    def _read(self, text: str) -> Any:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), **self._format()))
        except csv.Error as error:
            if len(text) <= csv.field_size_limit():
                raise
            raise ValueError(f"{error}: csv.field_size_limit(...) of the module csv allows more") from error
        if not self.header:
            return rows
        rows = [row for row in rows if row]  # blank lines
        if not rows:
            return []
        names, *body = rows
        if len(set(names)) < len(names):
            raise ValueError(f"two columns have one name: {shown(names, 200)}")
        for number, row in enumerate(body, 2):
            if len(row) != len(names):
                raise ValueError(f"row {number} has {len(row)} cells, and there are {len(names)} columns")
        return [dict(zip(names, row, strict=True)) for row in body]

    def _equal(self, written: Any, read: Any) -> bool:
        return bool(read == written) and all(
            list(map(type, _cells(one))) == list(map(type, _cells(other)))
            for one, other in zip(written, read, strict=True)
        )

    def _unlike(self, value: Any) -> str:
        for row in value:
            for cell in _cells(row):
                if type(cell) is not str and (type(cell) is not float or self.quoting != "nonnumeric"):
                    return f"cells are text, so the {type(cell).__name__} {shown(cell)}"
        return super()._unlike(value)


def _cells(row: Any) -> list[Any]:
    return [row[name] for name in sorted(row)] if isinstance(row, dict) else list(row)
