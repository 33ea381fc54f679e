"""TOML: configuration files that people edit."""

import codecs
import re
import tomllib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from holdall.serializers._document import DocumentSerializer, decoded, optional
from holdall.serializers._splice import Put, exactly, merged, settle

__all__ = ["TomlSerializer"]

_LINE_FEED = re.compile(r"(?<!\r)\n")


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
        # A list for a tuple, if not strict.
        settle(document, [(path, self.loads(self.dumps({"value": value}))["value"]) for path, value in puts])
        text = decoded(data, self.encoding)
        # Tables in brackets, where their like stand in tables of that kind, or have names with dots.
        for table in (tomlkit.table, tomlkit.inline_table):
            for new in _edited(text, document, [path for path, _ in puts], drops, table):
                try:
                    if exactly(self._read(new), document):
                        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
                        return mark + new.encode(self.encoding)
                except tomllib.TOMLDecodeError:
                    continue
        return None


def _edited(
    old: str,
    document: dict[str, Any],
    puts: Sequence[Sequence[str]],
    drops: Sequence[Sequence[str]],
    new_table: Callable[[], Any],
) -> list[str]:
    """Return texts of which one may hold what it is to hold, the best one first."""
    tomlkit = import_module("tomlkit")
    line_end = "\r\n" if "\r\n" in old else "\n"
    without = "" if not old or old.endswith("\n") else line_end  # which tomlkit needs before what it adds
    old += without
    try:
        text: Any = tomlkit.parse(old)
        as_it_writes = str(tomlkit.dumps(text))  # which is not the old text in all details
        for path in drops:
            _drop(text, path)
        for path in puts:
            table, value = text, document
            for name in path[:-1]:
                if name not in table:
                    table[name] = new_table()
                table, value = table[name], value[name]
            name = path[-1]
            in_sections = isinstance(table.get(name), tomlkit.items.AoT)
            table[name] = value[name] if in_sections else _item(tomlkit, value[name])
        new = str(tomlkit.dumps(text))
    except Exception:  # its own, and whatever a rare document makes of it
        return []
    if line_end == "\r\n" and not _LINE_FEED.search(old):
        new = _LINE_FEED.sub(line_end, new)
    found = [merged(as_it_writes, old, new), new]
    last = old[old.rfind("\n", 0, -1) + 1 :]
    return [text.removesuffix(without) if text.endswith(last) else text for text in found]


def _item(tomlkit: Any, value: Any) -> Any:
    """Return a value with the tables in it in brackets, as they can stand anywhere."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update({name: _item(tomlkit, part) for name, part in value.items()})
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        array.extend(_item(tomlkit, part) for part in value)
        return array
    return value


def _drop(table: Any, path: Sequence[str]) -> None:
    """Delete a value, and the tables that are empty without it."""
    name, *rest = path
    if rest:
        _drop(table[name], rest)
        if table[name]:
            return
    del table[name]
