"""YAML, its safe part."""

from collections.abc import Sequence
from typing import Any

from holdall.errors import CorruptValueError
from holdall.serializers._document import DocumentSerializer, check_bound, mark_and_encoding, optional
from holdall.serializers._splice import Put, edited, settle

__all__ = ["YamlSerializer"]

_ENDS_OF_LINES = frozenset("\x85\u2028\u2029\ufeff")


class YamlSerializer(DocumentSerializer):
    """The types of plain YAML: text, numbers, booleans, None, times, lists, dicts. Loading never runs code.

    Parameters
    ----------
    strict
        Whether to refuse what would not come back equal, such as tuples.
    sort_keys
        Whether dicts are written in the order of their keys.
    max_nodes
        How many nodes a value may have with all aliases expanded, as a few lines can expand beyond any
        memory. None for no limit. Values without aliases are not counted.

    Raises
    ------
    InvalidArgumentError
        If `max_nodes` is not a number of nodes.
    UnsupportedError
        If PyYAML is not installed: it comes with the extra ``holdall[yaml]``.

    Notes
    -----
    Rewriting a file loses its comments; `DocumentStore` changes parts of a file. A file has one document, in
    UTF-8, or in UTF-16 or UTF-32 with a byte order mark.
    """

    name = "yaml"
    suffix = ".yaml"
    #: Whether a text with only comments is read as None.
    none_is_empty = True
    options = ("strict", "sort_keys", "max_nodes")

    def __init__(
        self, *, strict: bool = True, sort_keys: bool = False, max_nodes: int | None = 1_000_000
    ) -> None:
        optional("yaml", "yaml", "yaml")
        self.max_nodes = check_bound("max_nodes", max_nodes)
        self.strict = strict
        self.sort_keys = sort_keys

    def _write(self, value: Any) -> str:
        dump = optional("yaml", "yaml", "yaml").safe_dump
        text = str(dump(value, sort_keys=self.sort_keys, allow_unicode=True))
        if not _ENDS_OF_LINES.isdisjoint(text):  # they would be read as line ends
            text = str(dump(value, sort_keys=self.sort_keys, allow_unicode=False))
        return text

    def _decoded(self, data: bytes) -> str:
        mark, encoding = mark_and_encoding(data)
        return str(data[len(mark) :], encoding)

    def _read(self, text: str) -> Any:
        value = optional("yaml", "yaml", "yaml").safe_load(text)
        if self.max_nodes is not None and "*" in text and _expanded(value) > self.max_nodes:
            raise CorruptValueError(
                f"with its aliases written out, the value has more than {self.max_nodes} nodes: "
                "if you trust who wrote it, read it with YamlSerializer(max_nodes=None)"
            )
        return value

    _yaml_text: Any = None

    def prepare_edits(self) -> None:
        """Import what `edit` needs: imports fail while a process ends."""
        from holdall.serializers._yaml_text import YamlText  # noqa: PLC0415  imports PyYAML

        self._yaml_text = YamlText

    def edit(
        self,
        data: bytes,
        document: dict[str, Any],
        puts: Sequence[Put],
        drops: Sequence[Sequence[str]],
    ) -> bytes | None:
        """Change values in the text of a document, and nothing else; see `TomlSerializer.edit`."""
        if self._yaml_text is None:
            self.prepare_edits()
        # Dumping raises if a value is invalid.
        settle(document, [(path, self.loads(self.dumps(value))) for path, value in puts])
        mark, encoding = mark_and_encoding(data)
        text = str(data[len(mark) :], encoding)
        if not text.strip():
            return None
        try:
            new = edited(self._yaml_text, self._read, text, document, puts=puts, drops=drops)
        except Exception:  # the edited text is not YAML: write all of it
            return None
        return None if new is None else mark + new.encode(encoding)


def _expanded(value: Any) -> int:
    """Return the number of nodes of a value, counting repeated ones each time; 0 if it is infinite."""
    known: dict[int, int] = {}
    twice = False

    def count(node: Any) -> int:
        nonlocal twice
        if not isinstance(node, dict | list | tuple | set):
            return 1
        nodes = known.get(id(node))
        if nodes is not None:
            twice = True
            return nodes
        known[id(node)] = 1  # for a node inside itself
        parts: Any = [*node, *node.values()] if isinstance(node, dict) else node
        nodes = known[id(node)] = 1 + sum(map(count, parts))
        return nodes

    nodes = count(value)
    return nodes if twice else 0
