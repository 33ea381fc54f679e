"""The fields of a template: what each accepts, and how it is written and read."""

import re
import string
from typing import Any, NoReturn

from holdall._shown import shown
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._forms import Form, form_of

# Empty text, empty parts of a path, and characters that no file system or encoding takes.
_BAD_TEXT = re.compile(r"\A\Z|\A/|//|/\Z|[\0\ud800-\udfff]")
_NUMBERED = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]|\(\?\([0-9]")
# How a field says that it takes what a field of text was given.
_SPECS = {int: "d", float: "g"}
_ORDINARY = string.ascii_letters + string.digits + "-_ +=@,~"


class Field:
    """One field of a template.

    Parameters
    ----------
    text
        The text between the braces: ``name:spec:regex``, each part optional.
    index
        Its position among the fields, from 0.
    template
        The whole template, for messages.

    Raises
    ------
    InvalidArgumentError
        If the text is not of that form.
    """

    __slots__ = ("after", "before", "form", "index", "kind", "name", "plain", "regex", "text", "where")

    def __init__(self, text: str, index: int, template: str) -> None:
        name, _, rest = text.partition(":")
        # The format of a time contains colons.
        spec, _, regex = (rest, "", "") if rest.startswith("%") else rest.partition(":")
        called = f"field {name!r}" if name else f"field {index + 1}"
        self.where = f"{called} of template {shown(template)}"
        if name and not name.isidentifier():
            raise InvalidArgumentError(
                f"{self.where} is no identifier: write {{name}}, {{name:d}} or {{}}, and {{{{ for a brace",
            )
        form = form_of(spec or "s")
        if form is None:
            raise InvalidArgumentError(
                f"{self.where} has format {spec!r}: use s for text, d or x for int, f or g for float, with "
                "a width or precision as 04d, 08x, .2f, 06.2f, .9g, or directives of dates as %Y-%m-%d "
                "(of %Y %y %m %d %j %H %M %S %f)",
            )
        self.text = text
        self.name = name
        self.index = index
        self.form: Form = form
        self.kind = form.kind
        self.regex = self._compiled(regex) if regex else None
        #: Whether it takes any text, so that separators may be excluded from it.
        self.plain = form.kind is str and not regex
        #: The separators that are excluded from it; "" for none.
        self.before = self.after = ""

    def _compiled(self, regex: str) -> "re.Pattern[str]":
        if _NUMBERED.search(regex):
            raise InvalidArgumentError(
                f"{self.where} refers to a group by its number, which differs in the whole name: "
                "name the group, as (?P<g>x)(?P=g)",
            )
        try:
            # As a part of the whole name, where flags for all of it are not allowed.
            return re.compile(f"(?:{regex})")
        except (re.error, OverflowError, RecursionError) as error:
            raise InvalidArgumentError(
                f"{self.where}: {shown(regex)} is no regular expression of a part of a name: {error}"
            ) from error

    # ------------------------------------------------------------------ what it may contain

    def ends_before(self, separator: str) -> bool:
        """Whether the field ends at the first separator after its first character."""
        return self.after == separator if self.plain else not self.form.hides_end(separator)

    def begins_after(self, separator: str) -> bool:
        """Whether the field begins after the last separator."""
        return self.before == separator if self.plain else not self.form.hides_start(separator)

    def pattern(self) -> str:
        """Return a pattern for its texts, without a group."""
        if self.regex:
            return self.regex.pattern
        if not self.plain:
            return self.form.pattern
        separators = "|".join(re.escape(text) for text in (self.before, self.after) if text)
        # Possessive: a field that ends at the first separator need not backtrack.
        return f"(?s:{separators and f'(?!{separators})'}.)+{'+' if self.after else ''}"

    # ------------------------------------------------------------------ writing and reading

    def write(self, value: Any) -> str:
        """Return the text of a value.

        Raises
        ------
        InvalidKeyError
            If the field does not take the value.
        """
        kind = self.kind
        if type(value) is not kind and not (kind is str and isinstance(value, str)):
            better = _SPECS.get(type(value)) if kind is str and not self.regex else None
            hint = f"; for {type(value).__name__} write {{{self.name}:{better}}}" if better else ""
            self._refuse(f"takes {kind.__name__}, got {type(value).__name__}: {shown(value)}{hint}")
        try:
            text = self.form.write(value)
        except ValueError as error:  # an int of more digits than Python writes
            self._refuse(f"cannot write {shown(value)}: {error}")
        if kind is not str and self.form.read(text) != value:
            self._refuse(f"writes {shown(value)} as {shown(text)}, which does not come back: round it first")
        self._check(text)
        return text

    def read(self, text: str) -> Any:
        """Return the value of a text, or `NOT_MINE`."""
        return NOT_MINE if self._fault(text) else self.form.read(text)

    def ordinary(self, separators: str) -> str | None:
        """Return a possessive regex of texts that are sure to be valid; None if there is none.

        Parameters
        ----------
        separators
            Characters next to the field.
        """
        if self.form.spec == "d" and not self.regex:
            return "(0|-?[1-9][0-9]{0,17}+)"
        if not self.plain:
            return None
        return f"([{''.join(re.escape(c) for c in _ORDINARY if c not in separators)}]++)"

    def _fault(self, text: str) -> bool:
        """Return whether the text is not valid for this field."""
        if _BAD_TEXT.search(text):
            return True
        before, after = self.before, self.after
        return bool(
            (after and (text + after).find(after) != len(text))
            or (before and (before + text).rfind(before))
            or (self.regex and not self.regex.fullmatch(text)),
        )

    def _check(self, text: str) -> None:
        """Raise why a text is not valid for this field."""
        if not self._fault(text):
            return
        if not text:
            self._refuse("is empty: give it some text")
        if self.regex and not self.regex.fullmatch(text):
            self._refuse(f"takes what matches {shown(self.regex.pattern[3:-1])}, got {shown(text)}")
        if _BAD_TEXT.search(text):
            self._refuse(f"cannot be {shown(text)}: a name has no empty parts, NUL or lone surrogates")
        separators = " and ".join(sorted({repr(s) for s in (self.before, self.after) if s}))
        self._refuse(
            f"is separated by {separators}, so {shown(text)} could not be told from its neighbour: "
            "leave the separator out, or choose another template",
        )

    def _refuse(self, why: str) -> NoReturn:
        raise InvalidKeyError(f"{self.where} {why}")
