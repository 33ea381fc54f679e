"""YAML, the safe part of it."""

from typing import Any

from holdall.serializers._document import DocumentSerializer, optional

__all__ = ["YamlSerializer"]

_ENDS_OF_LINES = frozenset("\x85\u2028\u2029\ufeff")


class YamlSerializer(DocumentSerializer):
    """What plain YAML has: text, numbers, booleans, None, times, lists, dicts. Loading never runs anything.

    Parameters
    ----------
    strict
        Whether to refuse what would not come back equal, as tuples.
    sort_keys
        Whether dicts are written in the order of their keys.

    Raises
    ------
    UnsupportedError
        If PyYAML is not installed: it comes with the extra ``holdall[yaml]``.

    Notes
    -----
    Comments of a file that is written anew are lost. Only the first document of a file is allowed.
    """

    name = "yaml"
    suffix = ".yaml"
    options = ("strict", "sort_keys")

    def __init__(self, *, strict: bool = True, sort_keys: bool = False) -> None:
        optional("yaml", "yaml", "yaml")
        self.strict = strict
        self.sort_keys = sort_keys

    def _write(self, value: Any) -> str:
        dump = optional("yaml", "yaml", "yaml").safe_dump
        text = str(dump(value, sort_keys=self.sort_keys, allow_unicode=True))
        if not _ENDS_OF_LINES.isdisjoint(text):  # which would be read as such
            text = str(dump(value, sort_keys=self.sort_keys, allow_unicode=False))
        return text

    def _read(self, text: str) -> Any:
        return optional("yaml", "yaml", "yaml").safe_load(text)
