"""INI: sections of options, as configparser reads them."""

import configparser
import io
from typing import Any

from holdall.serializers._document import DocumentSerializer

__all__ = ["IniSerializer"]


class IniSerializer(DocumentSerializer):
    r"""A dict of sections, each a dict of `str` to `str`, or None for an option without a value.

    Parameters
    ----------
    strict
        Whether to refuse what would not come back equal: values that are no text, spaces around them.
        Otherwise values are written as their ``str``.

    Notes
    -----
    Loading never runs anything. Names of options keep their case, values are taken as they stand (``%`` has
    no meaning), and ``DEFAULT`` is a section as any other. Comments of a file that is written anew are lost.

    Examples
    --------
    >>> IniSerializer().dumps({"server": {"port": "80"}})
    b'[server]\nport = 80\n\n'
    >>> IniSerializer().loads(b"[server]\nHost: example.org\n")
    {'server': {'Host': 'example.org'}}
    """

    name = "ini"
    suffix = ".ini"
    options = ("strict",)

    def __init__(self, *, strict: bool = True) -> None:
        self.strict = strict

    def _parser(self) -> configparser.RawConfigParser:
        # A header has at least one character, so no section is the default one.
        parser = configparser.RawConfigParser(default_section="", allow_no_value=True)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        return parser

    def _write(self, value: Any) -> str:
        parser = self._parser()
        for section, table in value.items():
            if not isinstance(table, dict):
                raise TypeError(f"section {section!r:.80} is a dict of text, got {type(table).__name__}")
            parser.add_section(section)
            for option, text in table.items():
                if text is not None and not isinstance(text, str) and self.strict:
                    raise TypeError(
                        f"options are text, got {type(text).__name__} for {option!r:.80} in {section!r:.80}",
                    )
                parser.set(section, option, None if text is None else str(text))
        file = io.StringIO()
        parser.write(file)
        return file.getvalue()

    def _read(self, text: str) -> Any:
        parser = self._parser()
        parser.read_string(text)
        return {section: dict(parser.items(section)) for section in parser.sections()}
