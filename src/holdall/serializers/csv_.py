"""CSV: rows of text, readable by any spreadsheet."""

import csv
import io
from typing import Any

from holdall.errors import InvalidArgumentError
from holdall.serializers._document import DocumentSerializer

__all__ = ["CsvSerializer"]


class CsvSerializer(DocumentSerializer):
    r"""Rows of text, as a list of lists or, with a header, as a list of dicts. Loading never runs anything.

    Parameters
    ----------
    header
        False: a value is a list of rows, each a list of `str`; any CSV file can be read so, and gives all
        that is in it. True: the first line holds the names of the columns, and a value is a list of dicts
        that all have those names.
    delimiter
        What stands between cells: one character.
    encoding
        Any text encoding; ``"utf-8-sig"`` for files that begin with a byte order mark, as those of Excel.
    strict
        Whether to refuse what would not come back equal: cells that are no text, rows that are tuples.
        Otherwise numbers are written as their ``str``, None as an empty cell, and all come back as text.

    Notes
    -----
    Lines end with ``\r\n``, and cells are quoted where needed, as RFC 4180 has it; all usual line ends are
    read. An empty list is no data with `header`, since there are no names. Cells are at most
    ``csv.field_size_limit()`` characters long.

    Examples
    --------
    >>> CsvSerializer().dumps([["city", "people"], ["Oslo", "717,710"]])
    b'city,people\r\nOslo,"717,710"\r\n'
    >>> CsvSerializer(header=True).loads(b"city,people\nOslo,7\n")
    [{'city': 'Oslo', 'people': '7'}]
    """

    name = "csv"
    suffix = ".csv"
    options = ("header", "delimiter", "encoding", "strict")

    def __init__(
        self,
        *,
        header: bool = False,
        delimiter: str = ",",
        encoding: str = "utf-8",
        strict: bool = True,
    ) -> None:
        try:
            csv.reader([], delimiter=delimiter)
            "a".encode(encoding)
        except (TypeError, ValueError, LookupError) as error:
            raise InvalidArgumentError(f"delimiter={delimiter!r}, encoding={encoding!r}: {error}") from error
        self.header = header
        self.delimiter = delimiter
        self.encoding = encoding
        self.strict = strict

    def _write(self, value: Any) -> str:
        if not isinstance(value, list) and (self.strict or isinstance(value, str | bytes)):
            raise TypeError(f"a value is a list of rows, got {type(value).__name__}")
        file = io.StringIO(newline="")
        writer = csv.writer(file, delimiter=self.delimiter)
        if self.header:
            names: list[Any] | None = None
            for row in value:
                if not isinstance(row, dict):
                    raise TypeError(f"with header=True a row is a dict, got {type(row).__name__}")
                if names is None:
                    names = list(row)
                    writer.writerow(names)
                elif row.keys() != set(names):
                    raise ValueError(f"a row has columns {list(row)!r:.100}, others have {names!r:.100}")
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
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True))
        if not self.header:
            return rows
        rows = [row for row in rows if row]  # blank lines
        if not rows:
            return []
        names, *body = rows
        if len(set(names)) < len(names):
            raise ValueError(f"two columns have one name: {names!r:.200}")
        for number, row in enumerate(body, 2):
            if len(row) != len(names):
                raise ValueError(f"row {number} has {len(row)} cells, and there are {len(names)} columns")
        return [dict(zip(names, row, strict=True)) for row in body]

    def _unlike(self, value: Any) -> str:
        for row in value:
            for cell in row.values() if isinstance(row, dict) else row:
                if not isinstance(cell, str):
                    return f"cells are text, so the {type(cell).__name__} {cell!r:.80}"
        return super()._unlike(value)
