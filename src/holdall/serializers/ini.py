"""INI: sections of options, as configparser reads them."""

import codecs
import configparser
from collections.abc import Sequence
from typing import Any

from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.serializers._document import DocumentSerializer, decoded
from holdall.serializers._ini_text import changed_ini
from holdall.serializers._splice import CannotEditError, Put, exactly

__all__ = ["IniSerializer"]


class IniSerializer(DocumentSerializer):
    r"""A dict of sections, each a dict of `str` to `str`, or None for an option without a value.

    Parameters
    ----------
    strict
        Whether to refuse what would not come back equal: values that are not text, spaces around them.
        Otherwise values are written as their ``str``.
    repeated
        Whether an option may occur more than once, as in units of systemd: its values are a list then, and
        sections with the same name are merged.
    inline_comments
        Characters that begin a comment after a value and a space, as ``";#"``.

    Raises
    ------
    InvalidArgumentError
        If an option is not one of these.

    Notes
    -----
    Loading never runs code. Names of options keep their case, values are taken literally (``%`` has no
    meaning), and ``DEFAULT`` is an ordinary section. Rewriting a file loses its comments; `DocumentStore`
    changes parts of a file.

    Examples
    --------
    >>> IniSerializer().dumps({"server": {"port": "80"}})
    b'[server]\nport = 80\n\n'
    >>> IniSerializer().loads(b"[server]\nHost: example.org\n")
    {'server': {'Host': 'example.org'}}
    >>> IniSerializer(repeated=True, inline_comments="#").loads(b"[s]\nafter=a  # first\nafter=b\n")
    {'s': {'after': ['a', 'b']}}
    """

    name = "ini"
    suffix = ".ini"
    options = ("strict", "repeated", "inline_comments")

    def __init__(self, *, strict: bool = True, repeated: bool = False, inline_comments: str = "") -> None:
        if type(repeated) is not bool:
            raise InvalidArgumentError(f"repeated must be True or False, got {shown(repeated)}")
        if type(inline_comments) is not str or any(map(str.isspace, inline_comments)):
            raise InvalidArgumentError(
                f"inline_comments must be text of characters that begin comments, got "
                f"{shown(inline_comments)}"
            )
        self.strict = strict
        self.repeated = repeated
        self.inline_comments = inline_comments

    def _write(self, value: Any) -> str:
        lines = []
        for section, table in value.items():
            if not isinstance(section, str):
                raise TypeError(f"names of sections are text, got {type(section).__name__}")
            if not isinstance(table, dict):
                raise TypeError(f"section {shown(section)} is a dict of text, got {type(table).__name__}")
            lines.append(f"[{section}]\n")
            for option, values in table.items():
                several = values if isinstance(values, list) and self.repeated else [values]
                lines += [self._line(section, option, text) for text in several]
            lines.append("\n")
        return "".join(lines)

    def _line(self, section: str, option: Any, text: Any) -> str:
        if text is None:
            return f"{option}\n"
        if not isinstance(text, str) and self.strict:
            remedy = (
                ", or IniSerializer(repeated=True) for lists"
                if isinstance(text, list) and not self.repeated
                else ""
            )
            raise TypeError(
                f"options are text, got {type(text).__name__} for {shown(option)} in "
                f"{shown(section)}{remedy}",
            )
        indented = str(text).replace("\n", "\n\t")
        return f"{option} = {indented}\n"

    def _read(self, text: str) -> Any:
        # A header has at least one character, so no section is the default one.
        parser = configparser.RawConfigParser(
            default_section="",
            allow_no_value=True,
            strict=not self.repeated,
            inline_comment_prefixes=tuple(self.inline_comments),
        )
        seen = 0

        def numbered(option: str) -> str:
            nonlocal seen
            seen += 1
            return f"{option}\0{seen}"  # so that none replaces another

        parser.optionxform = numbered if self.repeated else str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        sections = {section: parser.items(section) for section in parser.sections()}
        if not self.repeated:
            return {section: dict(items) for section, items in sections.items()}
        return {section: _gathered(items) for section, items in sections.items()}

    def edit(
        self,
        data: bytes,
        document: dict[str, Any],
        puts: Sequence[Put],
        drops: Sequence[Sequence[str]],
    ) -> bytes | None:
        """Change values in the text of a document, and nothing else; see `TomlSerializer.edit`."""
        text = decoded(data, self.encoding)
        paths = [*drops, *(path for path, _ in puts)]
        if any(len(path) != 2 for path in paths):
            return None  # not INI
        for (section, option), value in puts:
            read = self.loads(self.dumps({section: {option: value}}))  # raises if one is invalid
            document[section][option] = read.get(section, {}).get(option, value)
        try:
            new = changed_ini(text, document, paths, self.inline_comments)
            if new is None or not exactly(self._read(new), document):
                return None
        except (CannotEditError, configparser.Error):
            return None
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        return mark + new.encode(self.encoding)


def _gathered(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Collect the values of numbered options: one as it is, several as a list."""
    values: dict[str, list[Any]] = {}
    for option, value in items:
        values.setdefault(option.rpartition("\0")[0], []).append(value)
    return {option: several[0] if len(several) == 1 else several for option, several in values.items()}
