"""Key types of the standard library other than literals: dates, UUIDs, decimals, paths, enums."""

import sys
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

__all__ = ["TAGS", "tag_of", "text_of", "value_of"]

#: The words before the text in an id.
TAGS: Final = ("date", "datetime", "decimal", "enum", "path", "time", "uuid")
_NAMES: Final = {
    ("datetime", "date"): "date",
    ("datetime", "datetime"): "datetime",
    ("datetime", "time"): "time",
    ("decimal", "Decimal"): "decimal",
    ("uuid", "UUID"): "uuid",
}
_PATHS: Final = frozenset({"PosixPath", "WindowsPath"})


def tag_of(value: Any) -> str:
    """Return the tag of a value, "" for other types; import nothing for that."""
    kind = type(value)
    module, name = kind.__module__, kind.__qualname__
    if isinstance(value, Enum):
        return "enum" if _member(_name_of(value)) is value else ""
    if module.partition(".")[0] == "pathlib" and name in _PATHS:
        return "path"
    tag = _NAMES.get((module, name), "")
    if not tag or getattr(sys.modules.get(module), name, None) is not kind:
        return ""
    if tag in {"datetime", "time"}:  # named zones and repeated hours have no text
        zone = value.tzinfo
        if value.fold or not (zone is None or type(zone).__qualname__ == "timezone"):
            return ""
    return tag


def text_of(value: Any, tag: str) -> str:
    """Return the one text shared by all equal values of a type."""
    if tag == "enum":
        return _name_of(value)
    if tag == "decimal":
        return _shortest(value)
    return str(value.isoformat() if tag in {"date", "datetime", "time"} else value)


def value_of(text: str, tag: str) -> Any:
    """Return the value of a text; any exception means that there is none."""
    if tag == "enum":
        return _member(text)
    import datetime as dt  # noqa: PLC0415  (only for keys of these types)
    import decimal  # noqa: PLC0415
    import pathlib  # noqa: PLC0415
    import uuid  # noqa: PLC0415

    makers: dict[str, Callable[[str], Any]] = {
        "date": dt.date.fromisoformat,
        "datetime": dt.datetime.fromisoformat,
        "decimal": decimal.Decimal,
        "path": pathlib.Path,
        "time": dt.time.fromisoformat,
        "uuid": uuid.UUID,
    }
    return makers[tag](text)


def _name_of(member: Enum) -> str:
    kind = type(member)
    return f"{kind.__module__}:{kind.__qualname__}.{member.name}"


def _member(name: str) -> Any:
    """Return a member by its name; None if its module is not loaded, as an id must not import anything."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for step in path.split(".")[:-1]:
        found = vars(found).get(step) if found is not None else None
    if not (isinstance(found, type) and issubclass(found, Enum)):
        return None
    return found.__members__.get(path.rpartition(".")[2])


def _shortest(value: Any) -> str:
    """Return the text of a decimal without trailing zeros: equal decimals have one text."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return str(value)
    if not any(digits):
        return "0"
    while digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    return str(type(value)((sign, digits, exponent)))
