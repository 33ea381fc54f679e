"""Workbooks of spreadsheet programs."""

import io
import math
from typing import Any

from holdall.errors import CorruptValueError, SerializationError
from holdall.serializers import OptionSerializer
from holdall.serializers._document import check_bound, if_not_strict, optional

__all__ = ["XlsxSerializer"]


class XlsxSerializer(OptionSerializer[Any]):
    """A workbook as a dict of sheets, each a list of rows, each a list of cells. Loading runs no code.

    Parameters
    ----------
    strict
        Whether to refuse what would not come back equal: trailing empty cells or rows, text that would be a
        formula, types that cells do not have.
    max_cells
        How many rows and cells a workbook may have, including the empty ones before others, as one cell in
        the far corner makes a million rows. None for no limit.

    Raises
    ------
    InvalidArgumentError
        If `max_cells` is not a number of cells.
    UnsupportedError
        If openpyxl is not installed: it comes with the extra ``holdall[xlsx]``.

    Notes
    -----
    Cells are text, numbers (of 16 digits), booleans, `datetime.datetime`, or None where empty. A row ends
    with its last cell that is not empty, a sheet with its last such row. Formulas are read as the values that
    the program which wrote the file has stored with them. Formats, and everything else in a workbook, are not
    read, and are lost when the value is written.
    """

    name = "xlsx"
    suffix = ".xlsx"
    options = ("strict", "max_cells")

    def __init__(self, *, strict: bool = True, max_cells: int | None = 10_000_000) -> None:
        optional("openpyxl", "xlsx", "xlsx")
        self.max_cells = check_bound("max_cells", max_cells)
        self.strict = strict

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            book = optional("openpyxl", "xlsx", "xlsx").Workbook(write_only=True)
            for name, rows in value.items():
                sheet = book.create_sheet(name)
                for row in rows:
                    sheet.append(row)
            if not value:
                raise ValueError("a workbook has at least one sheet")  # noqa: TRY301  (reported like the others)
            file = io.BytesIO()
            book.save(file)
            data = file.getvalue()
            read = self.loads(data)
            same = not self.strict or _same(read, value)
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            raise SerializationError(f"serializer 'xlsx' cannot write this value: {error}") from error
        if not same:
            raise SerializationError(
                "this value would come back different from a workbook: rows are lists of text, numbers, "
                "booleans, datetimes and None, without empty cells at their end; convert it, or use "
                f"{if_not_strict(self, value)}another serializer",
            )
        return data

    def loads(self, data: bytes) -> Any:  # docstring inherited
        try:
            book = optional("openpyxl", "xlsx", "xlsx").load_workbook(io.BytesIO(data), data_only=True)
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            raise CorruptValueError(f"the data are not a workbook: {error}") from error
        filled = {sheet.title: _filled(sheet) for sheet in book.worksheets}
        size = sum(sum(map(max, rows.values())) + max(rows, default=0) for rows in filled.values())
        if self.max_cells is not None and size > self.max_cells:
            raise CorruptValueError(
                f"the workbook has {size} rows and cells, the empty ones included, "
                f"more than the {self.max_cells} of max_cells"
            )
        return {name: _rows(cells) for name, cells in filled.items()}


def _same(one: Any, other: Any) -> bool:
    """Compare workbooks, with numbers to 16 digits."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(other, float):
        return isinstance(one, int | float) and math.isclose(one, other, rel_tol=1e-15)
    return bool(one == other)


def _filled(sheet: Any) -> dict[int, dict[int, Any]]:
    """Return the values of cells that are not empty, by row and column."""
    rows: dict[int, dict[int, Any]] = {}
    # sheet.iter_rows() would make all the empty cells before one that has only a format.
    for (row, column), cell in sheet._cells.items():  # noqa: SLF001
        if cell.value is not None:
            rows.setdefault(row, {})[column] = cell.value
    return rows


def _rows(cells: dict[int, dict[int, Any]]) -> list[list[Any]]:
    rows: list[list[Any]] = [[] for _ in range(max(cells, default=0))]
    for number, row in cells.items():
        rows[number - 1] = [row.get(column) for column in range(1, max(row) + 1)]
    return rows
