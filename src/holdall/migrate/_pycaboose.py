"""Reading values that pycaboose has left in a script: a marker line, and one base64 comment per value.

Each comment contains the pickle of a key and a value. The key was given by the program, or is the number of
the line in which the value is made.
"""

import ast
import io
import pickle
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from typing import Any

from holdall.errors import CorruptValueError, StoreNotFoundError, UnsupportedError
from holdall.keys import AnyKeys
from holdall.persisters.script import ScriptPersister
from holdall.serializers.harmless import Harmless
from holdall.serializers.line import LineSerializer

_MARKER = re.compile(rb"^# pycaboose #[ \t]*\r?\n?", re.MULTILINE)
_LINE = re.compile(rb"# ([A-Za-z0-9+/]+=*)[ \t]*\r?\n?")


def migrate(place: ScriptPersister, *, trust: bool, keep: bool) -> dict[str, bytes]:
    """Store the values that pycaboose has left in a script.

    Parameters
    ----------
    place
        The script.
    trust
        Whether to load all pickles, instead of only those that run no code.
    keep
        Whether to keep the lines of pycaboose.

    Returns
    -------
    dict
        The ids and data that were stored.

    Raises
    ------
    StoreNotFoundError
        If there are none.
    CorruptValueError
        If a line cannot be read; nothing is stored then.
    UnsupportedError
        If a pickle would run code, and `trust` was not given.
    """
    with place.lock:
        program = place.program()
        named, begin, end = values_in(program, place.path, trust=trust)
        serializer, keys = LineSerializer(), AnyKeys()
        items = {keys.encode(name): serializer.dumps(value) for name, value in named.items()}
        place.write_many(items.items())
        if not keep:
            place.change_program(lambda text: text[:begin] + text[end:])
    return items


def values_in(program: bytes, path: str, *, trust: bool) -> tuple[dict[Any, Any], int, int]:
    """Return the values that pycaboose has left in a program, by name, and the range of its lines.

    Parameters and errors are those of `migrate`.
    """
    marker = _MARKER.search(program)
    if marker is None:
        raise StoreNotFoundError(2, "pycaboose has left nothing in it", path)
    end = marker.end()
    values: dict[Any, Any] = {}
    while line := _LINE.match(program, end):
        key, value = _loaded(line[1], trust=trust)
        values[key] = value
        end = line.end()
    if end == marker.end():
        raise StoreNotFoundError(2, "pycaboose has left no values in it", path)
    return _named(values, program), marker.start(), end


def _loaded(encoded: bytes, *, trust: bool) -> tuple[Any, Any]:
    """Return the key and value in a comment."""
    load: Callable[[Any], Any] = pickle.load if trust else lambda file: Harmless(file).load()
    try:
        key, value = load(io.BytesIO(a2b_base64(encoded, strict_mode=True)))
        hash(key)
    except pickle.UnpicklingError as error:
        raise UnsupportedError(
            f"a value of pycaboose needs code: {error}. Give --trust if you trust it"
        ) from error
    except (Base64Error, ValueError, TypeError, EOFError, AttributeError, ImportError, IndexError) as error:
        raise CorruptValueError(f"a line of pycaboose cannot be read: {encoded[:60]!r}: {error}") from error
    return key, value


def _named(values: dict[Any, Any], program: bytes) -> dict[Any, Any]:
    """Return values by the names that `Value` finds, instead of line numbers."""
    try:
        tree = ast.parse(program)
        names = _assigned(tree)
    except (SyntaxError, ValueError):
        names = {}
    else:
        # The script was edited since: a single value belongs to the single line that makes one.
        lost = [key for key in values if type(key) is int and key not in names]
        free = [line for line in _assigned(tree, made_by="Value") if line not in values]
        if len(lost) == len(free) == 1:
            names[lost[0]] = names.pop(free[0])
    named = {key: value for key, value in values.items() if key not in names}
    for line, name in names.items():
        if line in values:  # unless a value has that name already
            named[line if name in named else name] = values[line]
    return named


def _assigned(tree: ast.Module, made_by: str | None = None) -> dict[int, str]:
    """Return the scope and name that a call is assigned to, by line, for lines with one such call.

    Parameters
    ----------
    tree
        The program.
    made_by
        The name of the called function; None for any.
    """
    found: dict[int, list[str]] = {}

    def look(node: ast.AST, names: str, definitions: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                scope = f"{definitions}{child.name}."
                look(child, scope, scope)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                scope = f"{definitions}{child.name}."
                look(child, scope, f"{scope}<locals>.")
            elif isinstance(child, ast.Assign) and isinstance(child.value, ast.Call):
                function = child.value.func
                called = getattr(function, "id", getattr(function, "attr", None))
                if isinstance(child.targets[0], ast.Name) and made_by in {None, called}:
                    found.setdefault(child.value.lineno, []).append(names + child.targets[0].id)
            else:
                look(child, names, definitions)

    look(tree, "", "")
    return {line: names[0] for line, names in found.items() if len(names) == 1}
