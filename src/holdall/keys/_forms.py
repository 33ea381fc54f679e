"""How one field of a template is written and read: as text or as a number."""

import re
from math import isfinite
from typing import Any, NamedTuple

from holdall.abc import NOT_MINE

_NUMBER = re.compile(r"(?:0[1-9][0-9]?)?(?:[dx]|(?:\.[0-9]{1,2})?[fg])")
_BASES = {"d": 10, "x": 16}
_DIGITS = {
    "d": "-?[0-9]+",
    "x": "-?[0-9a-f]+",
    "f": r"-?[0-9]+(?:\.[0-9]+)?",
    "g": r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?",
}
_HEADS = {
    "d": re.compile("-?[0-9]*"),
    "x": re.compile("-?[0-9a-f]*"),
    "f": re.compile("-?[0-9.]*"),
    "g": re.compile("-?[0-9.e+-]*"),
}
_TAILS = {
    "d": re.compile("[0-9]*"),
    "x": re.compile("[0-9a-f]*"),
    "f": re.compile("[0-9.]*"),
    "g": re.compile("[0-9.e+-]*"),
}


class Form(NamedTuple):
    """How the values of a field are written.

    This form is that of text; the others extend it.
    """

    #: The type of its values.
    kind: type = str
    #: The format, as for `format()`.
    spec: str = ""
    #: A regex that all of its texts match; "" for any text.
    pattern: str = ""

    def write(self, value: Any) -> str:
        """Return the text of a value of `kind`; raise ValueError where Python cannot write it."""
        return str.__str__(value)  # plain text of subclasses, whatever they redefine

    def read(self, text: str) -> Any:
        """Return the value of a text, or `NOT_MINE`."""
        return text

    def hides_end(self, separator: str) -> bool:  # noqa: ARG002  (used by subclasses)
        """Return whether a separator that follows may not be the first one after the first character."""
        return False

    def hides_start(self, separator: str) -> bool:  # noqa: ARG002
        """Return whether a separator that precedes may not be the last one."""
        return False


class _Number(Form):
    """Numbers, each with one text: no "007", "+7", "7_0" or "-0.0" unless the format writes them."""

    def write(self, value: Any) -> str:
        return format(value, self.spec)

    def read(self, text: str) -> Any:
        base = _BASES.get(self.spec[-1])
        try:
            value = int(text, base) if base else float(text)
            odd = format(value, self.spec) != text or (value == 0 and text.startswith("-"))
        except ValueError:
            return NOT_MINE
        return NOT_MINE if odd or not isfinite(value) else value

    def hides_end(self, separator: str) -> bool:
        # Some final digits, with the start of the separator, make a separator before the real one.
        tail, size = _TAILS[self.spec[-1]], len(separator)
        return any(
            separator.endswith(separator[:start]) and tail.fullmatch(separator, 0, size - start)
            for start in range(size)
        )

    def hides_start(self, separator: str) -> bool:
        head, size = _HEADS[self.spec[-1]], len(separator)
        return any(
            separator.startswith(separator[size - end :]) and head.fullmatch(separator, end)
            for end in range(size)
        )


def form_of(spec: str) -> Form | None:
    """Return the form of a format, or None if it is not one."""
    if spec == "s":
        return Form()
    if _NUMBER.fullmatch(spec):
        return _Number(int if spec[-1] in _BASES else float, spec, _DIGITS[spec[-1]])
    if spec.startswith("%"):
        from holdall.keys._dates import date_form  # noqa: PLC0415  (datetime takes 2 ms to import)

        return date_form(spec)
    return None
