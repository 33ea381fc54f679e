"""Changes of option values in the text of an INI file."""

import re
from collections.abc import Iterable, Iterator, Sequence
from configparser import RawConfigParser
from dataclasses import dataclass, field
from typing import Any

from holdall.serializers._splice import Edit, applied

__all__ = ["changed_ini"]

_LINE = re.compile(r".*(?:\n|$)")
_ABSENT = object()


@dataclass(slots=True)
class _Option:
    """The positions of an option, and its value as it is read."""

    start: int  # of its line, as all positions below
    indent: str
    name_end: int
    value_start: int
    value_end: int
    end: int  # of the line, line end included
    values: list[str] | None
    continued: list[tuple[int, int]] = field(default_factory=list)

    @property
    def value(self) -> str | None:
        return None if self.values is None else "\n".join(self.values).rstrip()


@dataclass(slots=True)
class _Section:
    """The positions of the headers of a section, its options, and the end of its last non-blank line."""

    headers: list[tuple[int, int]] = field(default_factory=list)
    options: dict[str, list[_Option]] = field(default_factory=dict)
    last: _Option | None = None
    end: int = 0


class _Layout:
    """Find the lines of options as `configparser` does."""

    def __init__(self, text: str, inline_comments: str) -> None:
        self.text = text
        self.inline_comments = inline_comments
        self.line_end = "\r\n" if "\r\n" in text else "\n"
        self.between = " = "  # name and value; as in the first option
        self.sections: dict[str, _Section] = {}
        self._scan()

    def _scan(self) -> None:
        section: _Section | None = None
        option: _Option | None = None
        level, blank, first = 0, list[tuple[int, int]](), True
        for found in _LINE.finditer(self.text):
            start, end = found.span()
            line = self._without_comment(found[0])
            content = line.strip()
            if not content:
                if not found[0].strip():
                    blank.append((start, end))
                continue
            indent = len(line) - len(line.lstrip())
            if section is not None and option is not None and indent > level:
                if option.values is not None:
                    option.values += ["" for _ in blank] + [content]
                option.continued += [*blank, (start, end)]
                blank.clear()
                section.end = end
                continue
            level = indent
            blank.clear()
            header = RawConfigParser.SECTCRE.match(content)
            if header:
                section, option = self.sections.setdefault(header["header"], _Section()), None
                section.headers.append((start, end))
                section.end, section.last = end, None
            elif section is not None:
                option = self._option(content, start, end, line[:indent])
                section.options.setdefault(self.text[start + indent : option.name_end], []).append(option)
                section.end, section.last = end, option
                if first and option.values and option.values[0]:
                    self.between, first = self.text[option.name_end : option.value_start], False

    def _without_comment(self, line: str) -> str:
        if line.lstrip()[:1] in ("#", ";"):
            return ""
        for position, character in enumerate(line):
            if character in self.inline_comments and (not position or line[position - 1].isspace()):
                return line[:position]
        return line

    def _option(self, content: str, start: int, end: int, indent: str) -> _Option:
        found: Any = RawConfigParser.OPTCRE_NV.match(content)
        at = start + len(indent)
        name_end = at + len(found["option"].rstrip())
        if found["vi"] is None:
            return _Option(start, indent, name_end, name_end, name_end, end, None)
        value = found.start("value") + at, found.end("value") + at
        return _Option(start, indent, name_end, *value, end, [found["value"].strip()])

    # ------------------------------------------------------------------ changes

    def changes(self, section: str, option: str, wanted: Any) -> Iterator[Edit]:
        """Yield the edits that give an option one value, several, or none."""
        values = [] if wanted is _ABSENT else wanted if isinstance(wanted, list) else [wanted]
        there = self.sections[section].options.get(option, []) if section in self.sections else []
        for old, value in zip(there, values, strict=False):
            if old.value != value:
                yield from self._replaced(old, value)
        for old in there[len(values) :]:
            yield old.start, old.end, ""
            yield from ((start, end, "") for start, end in old.continued)
        if values[len(there) :]:
            yield self._added(section, option, values[len(there) :], there)

    def _replaced(self, old: _Option, value: str | None) -> Iterator[Edit]:
        first, *more = [""] if value is None else value.split("\n")
        if value is None:
            yield old.name_end, old.value_end, ""
        elif old.values is None:
            yield old.name_end, old.name_end, self.between + first
        elif old.value_start == old.value_end and self.between[-1:].isspace():
            blank = "" if self.text[old.value_start - 1].isspace() else " "
            yield old.value_start, old.value_end, blank + first
        else:
            yield old.value_start, old.value_end, first
        yield from ((start, end, "") for start, end in old.continued)
        if more:
            indent = next(
                (self._indent(part) for part in old.continued if self._indent(part)), old.indent + "\t"
            )
            text = "".join(indent + line + self.line_end for line in more)
            if self.text[old.end - 1] != "\n":  # the last line, without an end
                text = self.line_end + text.removesuffix(self.line_end)
            yield old.end, old.end, text

    def _added(self, section: str, option: str, values: list[str | None], there: list[_Option]) -> Edit:
        place = self.sections.get(section)
        beside = there[-1] if there else place.last if place else None
        indent = beside.indent if beside else ""
        text = "".join(
            indent + option
            + ("" if value is None else self.between + value.replace("\n", f"{self.line_end}{indent}\t"))
            + self.line_end
            for value in values
        )  # fmt: skip
        end = len(self.text) if place is None else place.end
        if there:
            end = there[-1].continued[-1][1] if there[-1].continued else there[-1].end
        if end and self.text[end - 1] != "\n":
            text = self.line_end + text
        return end, end, text

    def _indent(self, line: tuple[int, int]) -> str:
        text = self.text[slice(*line)]
        return text[: len(text) - len(text.lstrip())].rstrip("\r\n")


def changed_ini(
    text: str, document: dict[str, Any], paths: Iterable[Sequence[str]], inline_comments: str
) -> str | None:
    """Return a text with the options at these paths changed as in a document; None if that is impossible."""
    layout = _Layout(text, inline_comments)
    edits: list[Edit] = []
    headed: set[str] = set()
    for path in dict.fromkeys(map(tuple, paths)):
        if len(path) != 2:
            return None
        section, option = path
        wanted = document.get(section, {}).get(option, _ABSENT)
        place = layout.sections.get(section)
        if place is None and section not in headed:
            blank = "" if not text or text.endswith(("\n\n", "\n\r\n")) else layout.line_end
            blank = (layout.line_end if text and not text.endswith("\n") else "") + blank
            edits.append((len(text), len(text), f"{blank}[{section}]{layout.line_end}"))
        elif place and section not in document and section not in headed:
            edits += [(*header, "") for header in place.headers]
        headed.add(section)
        edits += layout.changes(section, option, wanted)
    return applied(text, edits)
