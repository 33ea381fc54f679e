"""TOML: settings that people edit."""

import tomllib
from typing import Any

from holdall.serializers._document import DocumentSerializer, optional

__all__ = ["TomlSerializer"]


class TomlSerializer(DocumentSerializer):
    r"""A dict of what TOML has: text, numbers, booleans, times, lists, dicts. Loading never runs anything.

    Parameters
    ----------
    strict
        Whether to refuse what would not come back equal, as tuples.
    multiline
        Whether text with line ends is written over several lines.

    Notes
    -----
    Reading needs the standard library only, writing the extra ``holdall[toml]``. None is not a value of
    TOML. Comments of a file that is written anew are lost.

    Examples
    --------
    >>> TomlSerializer().loads(b"title = 'x'\n[server]\nport = 80")
    {'title': 'x', 'server': {'port': 80}}
    """

    name = "toml"
    suffix = ".toml"
    options = ("strict", "multiline")

    def __init__(self, *, strict: bool = True, multiline: bool = False) -> None:
        self.strict = strict
        self.multiline = multiline

    def _write(self, value: Any) -> str:
        if not isinstance(value, dict):
            raise TypeError(f"a document is a dict, got {type(value).__name__}")
        writer = optional("tomli_w", "toml", "toml")
        return str(writer.dumps(value, multiline_strings=self.multiline))

    def _read(self, text: str) -> Any:
        return tomllib.loads(text)
