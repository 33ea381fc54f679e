"""TOML: configuration files that people edit."""

import codecs
import tomllib
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from holdall.serializers._document import DocumentSerializer, decoded, optional, same
from holdall.serializers._splice import Put, settle

__all__ = ["TomlSerializer"]


class TomlSerializer(DocumentSerializer):
    r"""A dict of the types of TOML: text, numbers, booleans, times, lists, dicts. Loading never runs code.

    Parameters
    ----------
    strict
        Whether to refuse what would not come back equal, such as tuples.
    multiline
        Whether text with line ends is written over several lines.

    Notes
    -----
    Reading needs only the standard library, writing the extra ``holdall[toml]``. None is not a value of TOML.
    Rewriting a file loses its comments; `DocumentStore` changes parts of a file.

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

    def edit(
        self,
        data: bytes,
        document: dict[str, Any],
        puts: Sequence[Put],
        drops: Sequence[Sequence[str]],
    ) -> bytes | None:
        """Change values in the text of a document, and nothing else.

        Parameters
        ----------
        data
            The current text.
        document
            The document after the changes.
        puts
            Paths and their new values.
        drops
            Paths to remove, together with tables that become empty.

        Returns
        -------
        bytes or None
            The new text; None if it cannot be changed so, or without tomlkit; then it is written as a whole.
        """
        try:
            tomlkit = import_module("tomlkit")
        except ImportError:
            return None
        try:
            text: Any = tomlkit.parse(decoded(data, self.encoding))
            for path in drops:
                _drop(text, path)
            for path, given in puts:
                value = self.loads(self.dumps({"value": given}))["value"]  # a list for a tuple, if not strict
                settle(document, [(path, value)])
                table = text
                for name in path[:-1]:
                    if name not in table:
                        table[name] = tomlkit.table()
                    table = table[name]
                table[path[-1]] = value
            new = str(tomlkit.dumps(text))
            if not same(document, self._read(new)):
                return None
        except Exception:  # of tomlkit, or of an unusual document
            return None
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        return mark + new.encode(self.encoding)


def _drop(table: Any, path: Sequence[str]) -> None:
    """Delete a value, and the tables that are empty without it."""
    name, *rest = path
    if rest:
        _drop(table[name], rest)
        if table[name]:
            return
    del table[name]
