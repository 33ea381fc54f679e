"""What a function is called in a store, and what its code is."""

import ast
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from holdall.memo._fingerprint import Encoder, Unkeyable, name_of
from holdall.memo._foreign import code_of

__all__ = ["full_name", "nonlocals", "source_version"]

_SIZE = 8  # bytes: versions of one function are few
_CONSTANTS = (int, float, complex, str, bytes, bool, type(None))


def full_name(function: Any) -> str | None:
    """Give module and qualified name, of a nameless function its code as well; None without a name."""
    if not isinstance(getattr(function, "__qualname__", None), str):
        return None
    name = name_of(function)
    if name.endswith("<lambda>") and hasattr(function, "__code__"):
        encoder = Encoder(typed=True)
        code_of(function.__code__, encoder)
        name += _short(encoder.out)
    return name


def _short(parts: list[bytes]) -> str:
    return blake2b(b"".join(parts), digest_size=_SIZE).hexdigest()


def _plain(function: Any) -> Any:
    """Give the function below all decorators."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return getattr(function, "__func__", function)


def nonlocals(function: Any) -> str:
    """Give a digest of the constants that a function has from the functions around it, "" if there are none.

    Without it all functions that one factory makes would share their results. Variables that hold anything
    but numbers, text, bytes, None, tuples and frozensets of these, functions and classes are left out.
    """
    encoder = Encoder(typed=True)
    for name, value in _cells(_plain(function)):
        try:
            data = encoder.apart(value)
        except (Unkeyable, RecursionError):
            continue
        encoder.text(name)
        encoder.out.append(data)
    return _short(encoder.out) if encoder.out else ""


def _cells(function: Any) -> Iterator[tuple[str, Any]]:
    """Give the nonlocal variables of a function that hold constants, functions or classes."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        own = _plain(value) is function
        if not own and (_constant(value) or isinstance(value, types.FunctionType | type)):
            yield name, value


def _constant(value: Any) -> bool:
    if isinstance(value, tuple | frozenset):
        return all(map(_constant, value))
    return isinstance(value, _CONSTANTS)


def source_version(function: Any) -> str:
    """Give a digest of what a function does, as far as its source tells.

    It covers the source of the function, less comments, layout, docstring and decorators; its defaults;
    nonlocal constants; and what it names of its own module: constants, and functions, which are looked
    through in the same way. What comes from other modules is taken as it is.
    """
    encoder = Encoder(typed=True)
    seen: set[int] = set()
    todo = [_plain(function)]
    while todo:
        function = todo.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        encoder.text(getattr(function, "__qualname__", ""))
        _own_source(function, encoder)
        for name, value in _referred(function):
            _add_reference(function, name, value, encoder, todo)
    return _short(encoder.out)


def _own_source(function: Any, encoder: Encoder) -> None:
    text = _normal_source(function)
    if text is not None:
        encoder.text(text)
    elif hasattr(function, "__code__"):  # typed in, or made by exec: there is only the code
        code_of(function.__code__, encoder)
    for value in (getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None)):
        try:
            encoder.out.append(encoder.apart(value))
        except (Unkeyable, RecursionError):
            continue


def _normal_source(function: Callable[..., Any]) -> str | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None  # a lambda in the middle of an expression has no source of its own either
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    node.decorator_list = []
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(node)


def _referred(function: Any) -> Iterator[tuple[str, Any]]:
    """Give what a function names outside of itself: nonlocal variables, and globals of its module."""
    yield from sorted(_cells(function))
    names: set[str] = set()
    todo = [code for code in (getattr(function, "__code__", None),) if code is not None]
    while todo:
        code = todo.pop()
        names.update(code.co_names)
        todo += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    scope = getattr(function, "__globals__", {})
    for name in sorted(names.intersection(scope)):
        yield name, scope[name]


def _add_reference(function: Any, name: str, value: Any, encoder: Encoder, todo: list[Any]) -> None:
    plain = _plain(value)
    if isinstance(plain, types.FunctionType):
        if plain.__module__ == function.__module__:
            todo.append(plain)
    elif _constant(value):
        encoder.text(name)
        encoder.add(value)
