"""The fields of a template: what each takes, and how it is written and read."""

import re
import string
from math import isfinite
from typing import Any, NoReturn

from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._pattern import Pattern
from holdall.keys._value import shown

_SPEC = re.compile(r"s|(?:0[1-9][0-9]?)?[dx]|(?:\.[0-9]{1,2})?f")
_TYPES = {"s": str, "d": int, "x": int, "f": float}
_BASES = {"d": 10, "x": 16}
# Everything that is written by format(), and perhaps more: only to know what it cannot contain.
_DIGITS = {"d": Pattern("-?[0-9]+"), "x": Pattern("-?[0-9a-f]+"), "f": Pattern(r"-?[0-9]+(\.[0-9]+)?")}
# Empty text, empty parts of a path, and what no file system or encoding takes.
_BAD_TEXT = re.compile(r"\A\Z|\A/|//|/\Z|[\0\ud800-\udfff]")
_ORDINARY = string.ascii_letters + string.digits + "-_ +=@,~"


class Field:
    """One field of a template.

    Parameters
    ----------
    text
        What stands between the braces: ``name:spec:regex``, each part optional.
    index
        Its place among the fields, from 0.
    template
        The whole template, for messages.

    Raises
    ------
    InvalidArgumentError
        If the text is not of that form.
    """

    __slots__ = ("_base", "_format", "after", "before", "index", "kind", "name", "pattern", "plain", "where")

    def __init__(self, text: str, index: int, template: str) -> None:
        name, _, rest = text.partition(":")
        spec, _, regex = rest.partition(":")
        called = f"field {name!r}" if name else f"field {index + 1}"
        self.where = f"{called} of template {shown(template)}"
        if name and not name.isidentifier():
            raise InvalidArgumentError(
                f"{self.where} is no identifier: write {{name}}, {{name:d}} or {{}}, and {{{{ for a brace",
            )
        spec = spec or "s"
        if not _SPEC.fullmatch(spec):
            raise InvalidArgumentError(
                f"{self.where} has format {spec!r}: use s for text, d or x for int, f for float, with a "
                "width or precision as 04d, 08x, .2f",
            )
        self.name = name
        self.index = index
        self.kind = _TYPES[spec[-1]]
        self._format = "" if spec == "s" else spec
        self._base = _BASES.get(spec[-1], 0)
        try:
            self.pattern = Pattern(regex) if regex else None
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{self.where}: {error}") from error
        #: Whether it takes any text, so that it may be kept free of its separators.
        self.plain = spec == "s" and not regex
        #: The separators of which it is kept free; "" for none.
        self.before = self.after = ""

    # ------------------------------------------------------------------ what it may contain

    def ends_before(self, separator: str) -> bool:
        """Whether the field ends at the first separator after its first character."""
        if self.plain:
            return self.after == separator
        return not all(pattern.hides_end(separator) for pattern in self._patterns())

    def begins_after(self, separator: str) -> bool:
        """Whether the field begins after the last separator."""
        if self.plain:
            return self.before == separator
        return not all(pattern.hides_start(separator) for pattern in self._patterns())

    def _patterns(self) -> list[Pattern]:
        """Give the expressions that all of its texts match."""
        return [p for p in (self.pattern, _DIGITS.get(self._format[-1:])) if p is not None]

    # ------------------------------------------------------------------ writing and reading

    def write(self, value: Any) -> str:
        """Write a value.

        Raises
        ------
        InvalidKeyError
            If the field does not take it.
        """
        kind = self.kind
        if kind is str and isinstance(value, str):
            text = str.__str__(value)  # plain text of subclasses, whatever they redefine
        elif type(value) is not kind:
            self._refuse(f"takes {kind.__name__}, got {type(value).__name__}: {shown(value)}")
        else:
            text = self._number(value)
        self._check(text)
        return text

    def _number(self, value: Any) -> str:
        try:
            text = format(value, self._format)
        except ValueError as error:  # an int of more digits than Python writes
            self._refuse(f"cannot write {shown(value)}: {error}")
        if self._parse(text) != value:
            self._refuse(f"writes {shown(value)} as {shown(text)}, which does not come back: round it first")
        return text

    def _parse(self, text: str) -> Any:
        """Give the number that is written so, or `NOT_MINE`."""
        try:
            value = int(text, self._base) if self._base else float(text)
            # One number has one name: no "007", "+7", "7_0" or "-0.0".
            odd = format(value, self._format) != text or (value == 0 and text.startswith("-"))
        except ValueError:
            return NOT_MINE
        return NOT_MINE if odd or not isfinite(value) else value

    def read(self, text: str) -> Any:
        """Give the value that is written so, or `NOT_MINE`."""
        value = text if self.kind is str else self._parse(text)
        return NOT_MINE if value is NOT_MINE or self._fault(text) else value

    def ordinary(self, separators: str) -> str | None:
        """Give a regex of texts that are sure to be good, possessive; None if there is none.

        Parameters
        ----------
        separators
            Characters that stand beside the field.
        """
        if self._format == "d" and not self.pattern:
            return "(0|-?[1-9][0-9]{0,17}+)"
        if not self.plain:
            return None
        return f"([{''.join(re.escape(c) for c in _ORDINARY if c not in separators)}]++)"

    def _fault(self, text: str) -> bool:
        """Tell whether the text is not one of this field."""
        if _BAD_TEXT.search(text):
            return True
        before, after = self.before, self.after
        return bool(
            (after and (text + after).find(after) != len(text))
            or (before and (before + text).rfind(before))
            or (self.pattern and not self.pattern.matches(text)),
        )

    def _check(self, text: str) -> None:
        """Refuse a text that is not one of this field, and say why."""
        if not self._fault(text):
            return
        if not text:
            self._refuse("is empty: give it some text")
        if self.pattern and not self.pattern.matches(text):
            self._refuse(f"takes what matches {shown(self.pattern.source)}, got {shown(text)}")
        if _BAD_TEXT.search(text):
            self._refuse(f"cannot be {shown(text)}: a name has no empty parts, NUL or lone surrogates")
        separators = " and ".join(sorted({repr(s) for s in (self.before, self.after) if s}))
        self._refuse(
            f"is separated by {separators}, so {shown(text)} could not be told from its neighbour: "
            "leave the separator out, or choose another template",
        )

    def _refuse(self, why: str) -> NoReturn:
        raise InvalidKeyError(f"{self.where} {why}")
