"""Statements of archives, evaluated without running them.

Nothing is looked up on a value that the archive made but by the functions of this module, and those are carried out
on objects of exactly the types that it made itself.
"""

import ast
import base64
import binascii
import json
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

from holdall.archive import _helpers
from holdall.archive._allowed import Allowed, Name
from holdall.archive._lines import Line
from holdall.errors import CorruptValueError, SerializationError

__all__ = ["Evaluator"]

_BUILTINS = frozenset(
    ["complex", "float", "set", "frozenset", "bytearray", "range", "slice", "getattr", "list", "dict", "NotImplemented"]
)  # fmt: skip

_MAPPINGS = (dict, OrderedDict, Counter, defaultdict)
_WITH_ATTRIBUTES = (SimpleNamespace, OrderedDict, Counter)
_CONSTANTS = (type(None), bool, int, float, str, bytes, type(...))


class Evaluator:
    """The names of one archive, and what its statements do with them.

    Parameters
    ----------
    allowed
        What it may name.
    max_items
        How many values, parts of others included, it may make.
    open_arrays
        Called with the arguments of ``_Arrays``: returns the arrays by name.
    """

    def __init__(self, allowed: Allowed, max_items: int, open_arrays: Callable[..., dict[str, Any]]) -> None:
        self.allowed = allowed
        self.names: dict[str, Any] = {}
        self._left = max_items
        self._open_arrays = open_arrays
        self._line = 0
        self._blocks: dict[str, str] = {}
        self._nodes: dict[type, Callable[[Any], Any]] = {
            ast.Constant: self._constant, ast.Name: self._name, ast.Call: self._call, ast.List: self._list,
            ast.Tuple: self._tuple, ast.Dict: self._dict, ast.Set: self._set, ast.Attribute: self._attribute,
            ast.Subscript: self._subscript, ast.BinOp: self._union, ast.UnaryOp: self._negative,
        }  # fmt: skip

    # -- statements

    def run(self, line: Line) -> ast.stmt:
        """Carry out a statement that is not compound, and return it; ``return`` is left to the caller."""
        self._line = line.number
        self._blocks = line.blocks
        (statement,) = self._parse(line.text)
        if isinstance(statement, ast.Assign):
            self._assign(statement)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            self._do(statement.value)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            self._import(statement)
        elif isinstance(statement, ast.Delete):
            for target in statement.targets:
                if not isinstance(target, ast.Name):
                    self._refuse(target)
                self.names.pop(target.id, None)
        elif not isinstance(statement, ast.Return | ast.Pass):
            self._refuse(statement)
        return statement

    def _parse(self, text: str) -> list[ast.stmt]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                body = ast.parse(text).body
        except (SyntaxError, ValueError, Warning) as error:
            raise CorruptValueError(f"line {self._line}: {error}") from error
        if len(body) != 1:
            raise CorruptValueError(f"line {self._line}: one statement stands in a line of archives, not {len(body)}")
        return body

    def _assign(self, statement: ast.Assign) -> None:
        (target, *others) = statement.targets
        if others:
            self._refuse(statement)
        if isinstance(target, ast.Name):
            self.names[target.id] = self.value(statement.value, raw=True)
        else:
            self._refuse(target)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                self.names[alias.asname or module] = Name(module, "")
            return
        if statement.level or not statement.module:
            raise self.error("archives import nothing relative to where they are")
        for alias in statement.names:
            if alias.name == "*":
                self._refuse(statement)
            self.names[alias.asname or alias.name] = Name(statement.module, alias.name)

    def _do(self, call: ast.Call) -> None:
        """Carry out a call that stands as a statement: it fills something."""
        function = call.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            target = self.names.get(function.value.id)
            if type(target) is not Name:
                self._fill(target, function.attr, call)
                return
        self._call(call)

    def _fill(self, target: Any, how: str, call: ast.Call) -> None:
        """Carry out ``name.extend([...])`` or ``name.update(...)``."""
        if len(call.args) != 1 or call.keywords:
            self._refuse(call)
        content = self.value(call.args[0])
        kinds = (type(target), how, type(content))
        if kinds == (list, "extend", list):
            target.extend(content)
        elif kinds == (dict, "update", dict):
            target.update(content)
        elif kinds == (set, "update", list):
            target.update(content)
        elif kinds == (dict, "update", zip):
            target.update(content)
        else:
            raise self.error(f"{how} of {type(target).__name__} with {type(content).__name__}: no archive does so")

    # -- expressions

    def value(self, node: ast.expr, *, raw: bool = False) -> Any:
        """Return what an expression stands for; `raw` leaves names of modules, classes and functions as they are."""
        self._left -= 1
        if self._left < 0:
            raise self.error("more values than are allowed: raise max_items if you trust who wrote it")
        evaluate = self._nodes.get(type(node))
        if evaluate is None:
            self._refuse(node)
        found = evaluate(node)
        if type(found) is Name and not raw:
            return self.allowed.find(found)
        return found

    def _constant(self, node: ast.Constant) -> Any:
        if type(node.value) not in _CONSTANTS:
            self._refuse(node)
        return node.value

    def _name(self, node: ast.Name) -> Any:
        name = node.id
        if name in self.names:
            return self.names[name]
        if name in self._blocks:
            self._refuse(node)  # a block stands only in the calls that read it
        if name in _BUILTINS or str(name) in _helpers.EXCEPTIONS:
            return Name("builtins", name)
        if name in _helpers.TYPES:
            return Name("builtins", name)
        raise self.error(f"nothing is called {name!r} so far")

    def _list(self, node: ast.List) -> list[Any]:
        return [self.value(part) for part in node.elts]

    def _tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple([self.value(part) for part in node.elts])

    def _set(self, node: ast.Set) -> set[Any]:
        return {self.value(part) for part in node.elts}

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        made = {}
        for key, part in zip(node.keys, node.values, strict=True):
            if key is None:
                self._refuse(node)
            made[self.value(key)] = self.value(part)
        return made

    def _negative(self, node: ast.UnaryOp) -> Any:
        operand = node.operand
        if not isinstance(node.op, ast.USub) or not isinstance(operand, ast.Constant):
            self._refuse(node)
        if type(operand.value) not in (int, float):
            self._refuse(node)
        return -operand.value

    def _attribute(self, node: ast.Attribute) -> Any:
        """Return ``module.name``, or a member of an enumeration."""
        owner = self.value(node.value, raw=True)
        if type(owner) is not Name:
            raise self.error(f"an attribute .{node.attr} of a value: archives look up none")
        return Name(owner.module, f"{owner.path}.{node.attr}" if owner.path else node.attr)

    def _subscript(self, node: ast.Subscript) -> Any:
        """Return an array by its name, a row of a table, or a member of an enumeration."""
        if not isinstance(node.slice, ast.Constant):
            self._refuse(node)
        owner, key = self.value(node.value, raw=True), node.slice.value
        if type(owner) is Name and type(key) is str:
            return self.allowed.member(owner, key)
        if type(owner) is _helpers.Table and type(key) is int and 0 <= key < len(owner):
            return owner[key]
        if type(owner) is _helpers.Arrays and key in owner:
            return owner[key]
        raise self.error(f"nothing stands at {key!r} of {getattr(node.value, 'id', 'that')}")

    def _union(self, node: ast.BinOp) -> Any:
        """Return flags joined by ``|``."""
        if not isinstance(node.op, ast.BitOr):
            self._refuse(node)
        one, other = (self._member(side) for side in (node.left, node.right))
        if type(one) is not type(other):
            self._refuse(node)
        return one | other

    def _member(self, node: ast.expr) -> Any:
        if isinstance(node, ast.BinOp):
            return self._union(node)
        found = self.value(node)
        if not _helpers.is_flag(found):
            self._refuse(node)
        return found

    # -- calls

    def _call(self, node: ast.Call) -> Any:
        block = self._block(node)
        if block is not _NO_BLOCK:
            return block
        function = self.value(node.func, raw=True)
        arguments = tuple([self.value(part, raw=type(function) is str) for part in node.args])
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is not None:
                keywords[keyword.arg] = self.value(keyword.value)
            elif isinstance(keyword.value, ast.Dict):
                keywords |= self._dict(keyword.value)
            else:
                self._refuse(node)
        return self.apply(function, arguments, keywords)

    def apply(self, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call what a name stands for, or a helper."""
        if type(function) is Name:
            return self.allowed.call(function, arguments, keywords)
        if type(function) is _helpers.Helper:
            return function.call(self, arguments, keywords)
        raise self.error("a value is called: archives call only what they have imported")
