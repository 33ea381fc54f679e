"""The meaning of a piece of code: its source without comments, layout and docstrings, or its byte code.

The file may have been edited since it was imported, and then contains other code. So it is used only if it
has not changed since this process began, or compiles to the same byte code.
"""

import ast
import inspect
import linecache
import os
import re
import time
import weakref
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

__all__ = ["Said", "modules_in", "names_in", "said_by", "said_by_file"]

_BORN = time.time()  # when this process began, or a little later
_TICK = 0.1  # seconds that the clocks of file systems may lag behind

#: Methods by which built-in containers, files and the like are changed.
_CHANGING = frozenset(
    {
        *("add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft"),
        *("fill", "insert", "intersection_update", "pop", "popitem", "popleft", "put", "remove", "reverse"),
        *("rotate", "set", "setdefault", "setflags", "sort", "subtract", "symmetric_difference_update"),
        *("update", "write", "writelines"),
    }
)


# What finds attributes, globals and modules by text.
_IMPORTING = frozenset({"import_module", "__import__", "modules"})
_BY_TEXT = _IMPORTING | {
    *("getattr", "hasattr", "getattr_static", "__getattribute__", "attrgetter", "methodcaller"),
    *("globals", "locals", "vars", "__dict__", "__globals__"),
    *("eval", "exec", "format", "format_map"),
}
_WORDS = re.compile(r"[^\W\d]\w*")
_BY_ARGUMENT = {"getattr": 1, "hasattr": 1, "eval": 0, "exec": 0, "import_module": 0, "__import__": 0}
_WHOLES = frozenset({"globals", "locals", "vars", "dir", "__dict__", "__subclasses__"})


class Said(NamedTuple):
    """The meaning of a function's code.

    Parameters
    ----------
    text
        Its source in one normal form; None if there is no reliable one.
    changes
        The variables that it assigns, or changes in place, and attributes of those (``name.attribute``): its
        state.
    imports
        Its imports when it runs: names of modules, and the number of dots before each.
    unnamed
        The functions by which it looks for something by a name that is made when it runs.
    passed
        Variables, and names of modules that it imports, of which it does more than look at attributes, such
        as give them to a function; None if that is unknown.
    """

    text: str | None
    changes: frozenset[str] = frozenset()
    imports: frozenset[tuple[str, int]] = frozenset()
    unnamed: frozenset[str] = frozenset()
    passed: frozenset[str] | None = None


# By identity: equal codes may come from files of which only one is reliable.
_said: dict[int, tuple[weakref.ref[CodeType], Said]] = {}


def said_by(code: CodeType, scope: dict[str, Any]) -> Said:
    """Return the meaning of a function's code; computed once per code.

    Parameters
    ----------
    code
        The code of the function.
    scope
        Its globals.
    """
    known = _said.get(id(code))
    if known is None:
        node, number = _node(code, scope), id(code)
        keeper = weakref.ref(code, lambda _: _said.pop(number, None))
        known = _said[number] = (keeper, _without(code) if node is None else _saying(node))
    return known[1]


def _without(code: CodeType) -> Said:
    """Return what byte code says of itself."""
    names = {name for inner in codes_in(code) for name in inner.co_names}
    return Said(None, unnamed=frozenset(names & (_WHOLES | {"eval", "exec"})))


def said_by_file(path: str) -> Said:
    """Return the meaning of a whole file."""
    try:
        with open(path, "rb") as file:
            return _saying(ast.parse(file.read()))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return Said(None)


def _saying(node: ast.AST) -> Said:
    by_kind: dict[type, list[Any]] = {}
    todo = [node]
    while todo:  # once, and faster than ast.walk, since this takes much of the time
        inner = todo.pop()
        by_kind.setdefault(type(inner), []).append(inner)
        for value in vars(inner).values():
            if isinstance(value, ast.AST):
                todo.append(value)
            elif type(value) is list:
                todo += [part for part in value if isinstance(part, ast.AST)]
    changes, imports = frozenset(_changed(by_kind)), frozenset(_imported(by_kind))
    unnamed, passed = frozenset(_unnamed(by_kind)), frozenset(_passed(by_kind))
    return Said(_normal(node, by_kind), changes, imports, unnamed, passed)


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those of the functions and classes in it."""
    todo = [code]
    while todo:
        code = todo.pop()
        yield code
        todo += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def names_in(code: CodeType) -> set[str]:
    """Return the names that code uses; those in its texts too, where it looks up something by text."""
    codes = list(codes_in(code))
    # Not the one of `from . import a`, and those of assertions that pytest has rewritten.
    names = {name for inner in codes for name in inner.co_names if name and name[0] != "@"}
    if not names.isdisjoint(_BY_TEXT):
        texts = [text for inner in codes for text in inner.co_consts if isinstance(text, str)]
        names.update(word for text in texts for word in _WORDS.findall(text))
    return names


def modules_in(code: CodeType) -> Iterator[tuple[str, int]]:
    """Yield what might be names of modules that code imports by their text, and the dots before each."""
    for inner in codes_in(code):
        if not _IMPORTING.isdisjoint(inner.co_names):
            for text in inner.co_consts:
                if isinstance(text, str) and (name := text.lstrip(".")).replace(".", "").isidentifier():
                    yield name, len(text) - len(name)


def _normal(node: ast.AST, by_kind: dict[type, list[Any]]) -> str:
    """Return a tree as text without docstrings, decorators of the outermost function, comments and layout."""
    for kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module):
        for inner in by_kind.get(kind, ()):
            if ast.get_docstring(inner, clean=False) is not None:
                inner.body = inner.body[1:] or [ast.Pass()]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node.decorator_list = []
    return ast.unparse(node)


def _node(code: CodeType, scope: dict[str, Any]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    file = code.co_filename
    try:
        linecache.checkcache(file)
        lines = linecache.getlines(file, scope)[code.co_firstlineno - 1 :]
        if not lines or not _believed(file, code):
            return None
        last = max((line or 0 for inner in codes_in(code) for *_, line in _spans(inner)), default=0)
        node = _parsed(lines[: last - code.co_firstlineno + 1]) or _parsed(inspect.getblock(lines))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name
    return node if named else None  # type: ignore[return-value]  # a lambda has no source of its own


def _spans(code: CodeType) -> Iterator[tuple[int | None, int | None]]:
    for first, last, _, _ in code.co_positions():
        yield first, last


def _parsed(lines: list[str]) -> ast.stmt | None:
    """Parse the lines of a function, whatever their indentation."""
    text = "".join(lines)
    try:
        if not lines[0][:1].isspace():
            return ast.parse(text).body[0]
        inner = ast.parse("if 1:\n" + text).body[0]
    except (SyntaxError, IndexError):
        return None
    return inner.body[0] if isinstance(inner, ast.If) else None


def _believed(file: str, code: CodeType) -> bool:
    """Return whether the source is that of the running code."""
    try:
        stat = os.stat(file)
    except OSError:
        return True  # typed into a notebook, or in an archive: such text does not change
    if max(stat.st_mtime, stat.st_ctime) < _BORN - _TICK:
        return True
    return code in _compiled(file, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _compiled(file: str, *identity: int) -> frozenset[CodeType]:
    """Return all code that a file compiles to now."""
    del identity
    try:
        with open(file, "rb") as opened:
            module = compile(opened.read(), file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return frozenset()
    return frozenset(codes_in(module))


def _changed(by_kind: dict[type, list[Any]]) -> Iterator[str]:
    """Yield the variables from outside that a function assigns or changes in place."""
    ours = {
        name for kind in (ast.Global, ast.Nonlocal) for node in by_kind.get(kind, ()) for name in node.names
    }
    if ours:
        yield from ours.intersection(
            node.id for node in by_kind.get(ast.Name, ()) if type(node.ctx) is not ast.Load
        )
    for kind in (ast.Subscript, ast.Attribute):
        for node in by_kind.get(kind, ()):
            if type(node.ctx) is not ast.Load:
                yield from _root(node)
    for node in by_kind.get(ast.Call, ()):
        if getattr(node.func, "attr", "") in _CHANGING:
            yield from _root(node.func)
        elif getattr(node.func, "id", "") in {"setattr", "delattr"} and len(node.args) > 1:
            name = getattr(node.args[1], "value", "")
            yield from _root(ast.Attribute(node.args[0], name if isinstance(name, str) else ""))


def _unnamed(by_kind: dict[type, list[Any]]) -> Iterator[str]:
    """Yield the functions that are asked for names that do not stand in the code, or for all names."""
    named = {
        id(node.value)
        for node in by_kind.get(ast.Subscript, ())
        if isinstance(getattr(node.slice, "value", None), str)
    }
    for node in by_kind.get(ast.Call, ()):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        place = _BY_ARGUMENT.get(called, len(node.args))
        asked = place < len(node.args) and not isinstance(node.args[place], ast.Constant)
        if asked or (called in _WHOLES and id(node) not in named):
            yield called
    for node in by_kind.get(ast.Attribute, ()):
        if node.attr == "__dict__" and id(node) not in named:
            yield node.attr


def _passed(by_kind: dict[type, list[Any]]) -> Iterator[str]:
    """Yield variables of which more is done than to look at an attribute, and modules imported as such."""
    looked_at = {id(node.value) for node in by_kind.get(ast.Attribute, ())}
    names = {node.id for node in by_kind.get(ast.Name, ()) if id(node) not in looked_at}
    yield from names
    for kind in (ast.Import, ast.ImportFrom):
        for node in by_kind.get(kind, ()):
            for alias in node.names:
                if (alias.asname or alias.name.partition(".")[0]) in names:
                    yield alias.name


def _imported(by_kind: dict[type, list[Any]]) -> Iterator[tuple[str, int]]:
    """Yield the modules that code imports, and names that might be modules."""
    for node in by_kind.get(ast.Import, ()):
        for alias in node.names:
            yield alias.name, 0
    for node in by_kind.get(ast.ImportFrom, ()):
        module = node.module or ""
        if module:
            yield module, node.level
        for alias in node.names:
            yield f"{module}.{alias.name}" if module else alias.name, node.level


def _root(node: ast.expr) -> Iterator[str]:
    """Yield the variable that an expression begins with, and its attribute that it goes on with."""
    attribute = ""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            attribute = node.attr
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id
        if attribute:
            yield f"{node.id}.{attribute}"
