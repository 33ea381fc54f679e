"""The layout of a template: the literals around its fields, and the one way to cut a name into them."""

import re
from collections.abc import Callable
from typing import Any

from holdall._shown import shown
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._fields import Field

_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_DOTS = re.compile(r"(?:\A|(?<=/))\.\.?(?=/|\Z)")
_UNNAMEABLE = re.compile(r"[\0\ud800-\udfff]")
# As long as a path may be: the time of a user's regex may grow with the length.
_MAX_LENGTH = 4096


class Layout:
    """Names and the values of their fields, one to one.

    Parameters
    ----------
    text
        The template.

    Raises
    ------
    InvalidArgumentError
        If it is not a template, or some name could be read in two ways.
    """

    def __init__(self, text: str) -> None:
        literals, fields = parse_template(text)
        if not fields:
            raise InvalidArgumentError(f"template {shown(text)} has no field: put {{}} where names differ")
        if _DOTS.search("x".join(literals)) or _UNNAMEABLE.search(text):
            raise InvalidArgumentError(
                f"template {shown(text)} cannot name a file: leave out '.' and '..' as parts of the path, "
                "NUL and lone surrogates",
            )
        self.text = text
        self.fields = fields
        self.literals = literals
        self.names = tuple(field.name for field in fields)
        # The ending of a folder that would have the name of a file; without a suffix, any could.
        self._folder_mark = literals[-1] + "/" if literals[-1] else "\0"
        separate(fields, literals[1:-1], text)
        self._whole = _whole([field.pattern() for field in fields], literals, text)
        # The fast path: types of the fields, their form for "%", and a regex of names sure to fit.
        self._types = tuple(field.kind for field in fields)
        self._only_text = int not in self._types
        self._form = "%s".join(literal.replace("%", "%%") for literal in literals)
        self._ordinary = _ordinary(fields, literals)

    def write(self, values: tuple[Any, ...]) -> str:
        """Write all fields, and check what only the whole name shows.

        Raises
        ------
        InvalidKeyError
            If a field does not take its value.
        """
        if tuple(map(type, values)) == self._types:
            try:
                texts = tuple(map(str, values))
            except ValueError:  # an int of more digits than Python writes
                texts = ()
            else:
                id = self._form % texts
                match = self._ordinary(id)
                if match and match.groups() == texts and len(id) <= _MAX_LENGTH:
                    return id
        id = self.start(values)
        if len(id) > _MAX_LENGTH:
            raise InvalidKeyError(
                f"key {shown(values)} of template {shown(self.text)} makes a name of {len(id):,} characters: "
                f"names have {_MAX_LENGTH:,} at the most"
            )
        fault = self._fault(id)
        if fault:
            span, why = fault
            raise InvalidKeyError(f"{self._culprit(values, span)} makes the name {shown(id)}, which {why}")
        back = self._fields_of(id)
        if back != values:
            raise InvalidKeyError(
                f"key {shown(values)} of template {shown(self.text)} makes the name {shown(id)}, which "
                + (f"is read as {shown(back)}" if back else "does not fit")
                + ": say in the regular expressions what each field is made of, or choose other separators",
            )
        return id

    def _culprit(self, values: tuple[Any, ...], span: tuple[int, int]) -> str:
        """Return the field that wrote a span of the name, for messages; the whole key if none did."""
        start = len(self.literals[0])
        for field, value, after in zip(self.fields, values, self.literals[1:], strict=True):
            end = start + len(field.write(value))
            if start < span[1] and span[0] < end:
                return field.where
            start = end + len(after)
        return f"key {shown(values)} of template {shown(self.text)}"

    def _fault(self, id: str) -> tuple[tuple[int, int], str] | None:
        """Return the span and kind of a fault in a name whose fields are valid; None if there is none."""
        dots = _DOTS.search(id)
        if dots:
            return dots.span(), "leads out of its folder: no part between slashes is '.' or '..'"
        # "a.wav/b.wav" needs a folder where the file "a.wav" is.
        if self._folder_mark in id:
            for slash in re.finditer("/", id):
                above = id[: slash.start()]
                if above.endswith(self.literals[-1]) and self._fields_of(above) is not None:
                    return slash.span(), f"lies in a folder that has the name of another key: {shown(above)}"
        return None

    def start(self, values: tuple[Any, ...]) -> str:
        """Return the text of the first fields, with the literals after them."""
        text = self.literals[0]
        for value, field, literal in zip(values, self.fields, self.literals[1:], strict=False):
            text += field.write(value) + literal
        return text

    def read(self, id: Any) -> tuple[Any, ...] | None:
        """Return the values of a name, or None if it does not fit."""
        if not isinstance(id, str):  # the ids of a plain mapping may be any object
            return None
        match = self._ordinary(id)
        if match and len(id) <= _MAX_LENGTH:
            texts = match.groups()
            if self._only_text:
                return texts  # type: ignore[no-any-return]
            return tuple(kind(text) for kind, text in zip(self._types, texts, strict=True))
        values = self._fields_of(id)
        return None if values is None or self._fault(id) else values

    def _fields_of(self, id: str) -> tuple[Any, ...] | None:
        """Return the values of a name whose fields fit, even if the whole does not."""
        texts = self._texts(id)
        if texts is None:
            return None
        values: list[Any] = []
        for text, field in zip(texts, self.fields, strict=True):
            value = field.read(text)
            if value is NOT_MINE:
                return None
            values.append(value)
        return tuple(values)

    def _texts(self, id: str) -> list[str] | None:
        """Return the texts of the fields of a name; None if it does not fit."""
        match = self._whole(id) if len(id) <= _MAX_LENGTH else None
        return None if match is None else [match[f"_{index}"] for index in range(len(self.fields))]

    def padded(self, id: str) -> str | None:
        """Return the text of this template with widths for ints that have leading zeros in a name."""
        texts = self._texts(id)
        if texts is None:
            return None
        text, zeros = _braced(self.literals[0]), False
        for field, part, literal in zip(self.fields, texts, self.literals[1:], strict=True):
            described = field.text
            if field.form.spec == "d" and not field.regex and part[:1] == "0" and 1 < len(part) < 100:
                described, zeros = f"{field.name}:0{len(part)}d", True
            text += "{" + described + "}" + _braced(literal)
        return text if zeros else None

    def _loose_texts(self, id: str) -> list[str] | None:
        """Return the texts between the literals of a name that does not fit, to find the wrong field."""
        ends = [re.escape(literal) or r"\Z" for literal in self.literals[1:]]
        match = _whole([f"(?:(?!{end}).)++" for end in ends], self.literals, self.text)(id)
        return None if match is None or len(id) > _MAX_LENGTH else list(match.groups())

    def check(self, id: str) -> None:
        """Raise `InvalidKeyError` with the reason for a name that does not fit."""
        texts = self._texts(id) or self._loose_texts(id)
        if texts is None:
            raise InvalidKeyError(f"{shown(id)} does not fit template {shown(self.text)}")
        for text, field in zip(texts, self.fields, strict=True):
            if field.read(text) is NOT_MINE:
                raise InvalidKeyError(f"{shown(id)} does not fit: {field.where} cannot be {shown(text)}")
        fault = self._fault(id)
        if fault:
            raise InvalidKeyError(f"{shown(id)} {fault[1]}")


def _braced(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")


def _whole(patterns: list[str], literals: list[str], text: str) -> Callable[[str], Any]:
    """Return the test for names, with their fields as the groups "_0", "_1", ..."""
    source = re.escape(literals[0])
    for index, (pattern, literal) in enumerate(zip(patterns, literals[1:], strict=True)):
        source += f"(?P<_{index}>{pattern}){re.escape(literal)}"
    try:
        return re.compile(source).fullmatch
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidArgumentError(f"template {shown(text)} is no regular expression: {error}") from error


def _ordinary(fields: list[Field], literals: list[str]) -> Callable[[str], Any]:
    """Return the test for names that are sure to fit, with their fields as groups."""
    source = re.escape(literals[0])
    for field, before, after in zip(fields, literals, literals[1:], strict=False):
        known = field.ordinary(before[-1:] + after[:1])
        if known is None:
            return re.compile(r"(?!)").fullmatch
        source += known + re.escape(after)
    return re.compile(source).fullmatch


def parse_template(text: str) -> tuple[list[str], list[Field]]:
    """Split a template into the literals around its fields, and the fields.

    Raises
    ------
    InvalidArgumentError
        If braces do not match, or a field is invalid.
    """
    literals = [""]
    fields: list[Field] = []
    at = 0
    while at < len(text):
        char = text[at]
        if text[at : at + 2] in {"{{", "}}"}:
            literals[-1] += char
            at += 2
        elif char == "{":
            end = _closing(text, at)
            fields.append(Field(text[at + 1 : end], len(fields), text))
            literals.append("")
            at = end + 1
        elif char == "}":
            raise InvalidArgumentError(
                f"template {shown(text)} has a single '}}' at {at}: write '}}}}' for a brace itself",
            )
        else:
            literals[-1] += char
            at += 1
    return literals, fields


def _closing(text: str, start: int) -> int:
    """Return the index of the brace that closes a field; a regex may contain braces."""
    depth = 0
    for piece in _PIECE.finditer(text, start):
        if piece[0] == "{":
            depth += 1
        elif piece[0] == "}":
            depth -= 1
            if not depth:
                return piece.start()
    raise InvalidArgumentError(
        f"template {shown(text)} has a '{{' at {start} that is not closed: write '{{{{' for a brace itself",
    )


def separate(fields: list[Field], separators: list[str], template: str) -> None:
    """Check that names can be cut into fields in one way only, except for fields with a regex.

    Fields before some pivot end at the first separator that follows (after at least one character, since no
    field is empty), those after it begin at the last one that precedes; the pivot is what remains. Separators
    are excluded from fields of plain text where that is needed. What regexes match is not known here:
    `Layout.write` checks that each name is read back as it was written.

    Raises
    ------
    InvalidArgumentError
        If there is no such pivot.
    """
    for one, other, separator in zip(fields, fields[1:], separators, strict=False):
        if not separator:
            raise InvalidArgumentError(
                f"nothing separates {one.where} from field {other.index + 1}: put a literal between them",
            )
    first, last = _unclear(fields, separators)
    for index in range(first, last + 1):
        if fields[index].plain and first < last:
            fields[index].after = separators[index] if index < last else ""
            fields[index].before = separators[index - 1] if index > first else ""
    first, last = _unclear(fields, separators)
    if first < last:
        raise InvalidArgumentError(
            f"template {shown(template)} is ambiguous: field {first + 1} may contain {separators[first]!r}, "
            f"field {last + 1} may contain {separators[last - 1]!r}, which separate fields: "
            "choose other separators",
        )


def _unclear(fields: list[Field], separators: list[str]) -> tuple[int, int]:
    """Return the first field whose end, and the last whose start cannot be found; the same one if none."""
    first, last = 0, len(fields) - 1
    while first < last and fields[first].ends_before(separators[first]):
        first += 1
    while last > first and fields[last].begins_after(separators[last - 1]):
        last -= 1
    return first, last
