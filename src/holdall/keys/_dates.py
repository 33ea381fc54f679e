"""Dates and times as fields of a template."""

import datetime as dt
import re
from typing import Any

from holdall.abc import NOT_MINE
from holdall.keys._forms import Form

_FORM = re.compile(r"(?:%[YymdjHMSf%]|[^%])+")
_WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "H": 2, "M": 2, "S": 2, "f": 6}


class _Date(Form):
    """Dates and times written with a fixed number of digits, so that they end there whatever follows."""

    def write(self, value: Any) -> str:
        return format(value, self.spec)

    def read(self, text: str) -> Any:
        try:
            moment = dt.datetime.strptime(text, self.spec)  # noqa: DTZ007  (names have no time zone)
        except ValueError:
            return NOT_MINE
        value = moment.date() if self.kind is dt.date else moment.time() if self.kind is dt.time else moment
        return value if self.write(value) == text else NOT_MINE


def date_form(spec: str) -> Form | None:
    """Return the form of the dates or times that a format writes, or None if it writes none."""
    pieces = re.findall("%.|[^%]+", spec)
    if not _FORM.fullmatch(spec):
        return None
    directives = {piece[1] for piece in pieces if piece[0] == "%"} - {"%"}
    days, hours = directives & set("Yymdj"), directives & set("HMSf")
    if not directives:
        return None
    kind = dt.datetime if days and hours else dt.date if days else dt.time
    pattern = "".join(
        re.escape("%" if piece == "%%" else piece)
        if piece == "%%" or piece[0] != "%"
        else f"[0-9]{{{_WIDTHS[piece[1]]}}}"
        for piece in pieces
    )
    return _Date(kind, spec, pattern)
