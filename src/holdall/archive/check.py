"""Trying the statements of an archive before it is published."""

import traceback
from typing import Any

from holdall.archive.emit import Unit
from holdall.archive.module import flat_text
from holdall.errors import SerializationError

__all__ = ["check"]

_FILE = "<archive>"


def check(unit: Unit, arrays: Any, arrays_name: str) -> None:
    """Execute the statements of a unit.

    Parameters
    ----------
    unit
        The statements that make some values.
    arrays
        Name -> external array.
    arrays_name
        The dict from which the statements take them.

    Raises
    ------
    SerializationError
        If an object could not be made again, or not be found in a set or dict; the message says where it is.
    """
    text = flat_text(unit)
    namespace: dict[str, Any] = {arrays_name: arrays, "__name__": _FILE}
    try:
        exec(compile(text, _FILE, "exec", dont_inherit=True), namespace)  # noqa: S102  (what is written here)
    except Exception as error:
        line = next(
            (
                frame.lineno
                for frame in reversed(traceback.extract_tb(error.__traceback__))
                if frame.name == "<module>" and frame.filename == _FILE
            ),
            getattr(error, "lineno", None),
        )
        where = _path_of(unit, text, line or 0)
        raise SerializationError(
            f"cannot archive {where}: making it again fails with {type(error).__name__}: {error}"
        ) from error
    for node in unit.late:
        made = eval(str(node.name), namespace)  # noqa: S307  (a name, or a value of a table)
        original = node.obj
        if not hasattr(original, "__contains__") or not hasattr(original, "__iter__") or made is None:
            continue
        if all(item in original for item in original) and not all(item in made for item in made):
            kind = type(original).__name__
            raise SerializationError(
                f"cannot archive {node.path}: the hash of an object in it depends on the {kind} itself"
            )


def _path_of(unit: Unit, text: str, line: int) -> str:
    """Return the path of the object that a line makes."""
    lines = text.split("\n")
    for number in range(min(line, len(lines)) - 1, -1, -1):
        name, equals, _ = lines[number].partition(" = ")
        if equals and name in unit.body.made:
            return unit.body.made[name].path
        first = lines[number].partition("(")[2].partition(",")[0]
        if first in unit.body.made and lines[number][:1] not in {"", " "}:
            return unit.body.made[first].path
    return ", ".join(unit.values[:3]) or "a value"
