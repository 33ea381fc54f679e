"""Statements of archives, evaluated without running them.

No attribute of a value is ever looked up for the text. Values are filled only if they have exactly the types
that the reader has made itself.
"""

import ast
import base64
import binascii
import builtins
import json
from collections.abc import Callable
from enum import Flag
from typing import Any, NoReturn

from holdall.archive._allowed import Allowed, Name
from holdall.archive._arrays import Arrays
from holdall.archive._lines import Line
from holdall.archive._making import COPYREG, Helper, fill_container, require_hashable
from holdall.archive._tables import Table, Values
from holdall.errors import CorruptValueError, SerializationError

__all__ = ["Evaluator"]

_JSON = Name("json", "loads")
_BASE64 = Name("base64", "b64decode")
_BROKEN = ["\\\n", ""]
_CONSTANTS = (type(None), bool, int, float, str, bytes, type(...))


class Evaluator:
    """The names of one archive, and the evaluation of its statements.

    Parameters
    ----------
    allowed
        What it may name.
    max_items
        How many values, parts of others included, it may make.
    """

    def __init__(self, allowed: Allowed, max_items: int) -> None:
        self.allowed = allowed
        self.names: dict[str, Any] = {}
        self._left = max_items
        self._line = 0
        self._blocks: dict[str, str] = {}
        self._nodes: dict[type, Callable[[Any], Any]] = {
            ast.Constant: self._constant, ast.Name: self._name, ast.Call: self._call, ast.List: self._list,
            ast.Tuple: self._tuple, ast.Dict: self._dict, ast.Set: self._set, ast.Attribute: self._attribute,
            ast.Subscript: self._subscript, ast.BinOp: self._union, ast.UnaryOp: self._negative,
        }  # fmt: skip

    # -- statements

    def run(self, line: Line) -> ast.stmt:
        """Evaluate a simple statement, and return it; ``return`` is left to the caller."""
        self._line = line.number
        self._blocks = line.blocks
        (statement,) = self._parse(line.text)
        try:
            self._carry_out(statement)
        except SerializationError as error:
            where = f"line {line.number}: "
            raise type(error)(where + str(error).removeprefix(where)) from error
        return statement

    def _carry_out(self, statement: ast.stmt) -> None:
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

    def _parse(self, text: str) -> list[ast.stmt]:
        try:
            body = ast.parse(text).body
        except (SyntaxError, ValueError) as error:
            raise CorruptValueError(f"line {self._line}: {error}") from error
        if len(body) != 1:
            raise CorruptValueError(
                f"line {self._line}: one statement stands in a line of archives, not {len(body)}"
            )
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
        """Evaluate a call that is a statement: it fills a value."""
        function = call.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            target = self.names.get(function.value.id)
            if type(target) is not Name:
                self._fill(target, function.attr, call)
                return
        self._call(call)

    def _fill(self, target: Any, how: str, call: ast.Call) -> None:
        """Evaluate ``name.extend([...])`` or ``name.update(...)``."""
        if len(call.args) != 1 or call.keywords:
            self._refuse(call)
        content = self.value(call.args[0])
        try:
            fill_container(target, how, content)
        except TypeError as error:
            raise self.error(str(error)) from error

    # -- expressions

    def value(self, node: ast.expr, *, raw: bool = False) -> Any:
        """Return the value of an expression; `raw` keeps names of classes and functions."""
        self.count(1)
        evaluate = self._nodes.get(type(node))
        if evaluate is None:
            self._refuse(node)
        found = evaluate(node)
        return found if raw else self.resolved(found)

    def _constant(self, node: ast.Constant) -> Any:
        if type(node.value) not in _CONSTANTS:
            self._refuse(node)
        return node.value

    def _name(self, node: ast.Name) -> Any:
        name = node.id
        if name in self.names:
            return self.names[name]
        if name in self._blocks:
            self._refuse(node)  # blocks occur only in the calls that read them
        if hasattr(builtins, name):  # checked when it is used
            return Name("builtins", name)
        raise self.error(f"nothing is called {name!r} so far")

    def _list(self, node: ast.List) -> list[Any]:
        return self._parts(node.elts)

    def _tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self._parts(node.elts))

    def _parts(self, nodes: list[ast.expr]) -> list[Any]:
        """Return the values of the parts of a list or tuple; most are constants."""
        self.count(len(nodes))
        value = self.value
        return [
            node.value if type(node) is ast.Constant and type(node.value) in _CONSTANTS else value(node)
            for node in nodes
        ]

    def _set(self, node: ast.Set) -> set[Any]:
        return {self.key(part) for part in node.elts}

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        made = {}
        for key, part in zip(node.keys, node.values, strict=True):
            if key is None:
                self._refuse(node)
            made[self.key(key)] = self.value(part)
        return made

    def key(self, node: ast.expr) -> Any:
        """Return the value of an expression, as a key or a member of a set."""
        key = self.value(node)
        try:
            return require_hashable(key)
        except TypeError as error:
            raise self.error(str(error)) from error

    def _negative(self, node: ast.UnaryOp) -> Any:
        operand = node.operand
        if not isinstance(node.op, ast.USub) or not isinstance(operand, ast.Constant):
            self._refuse(node)
        number: Any = operand.value
        if type(number) not in (int, float):
            self._refuse(node)
        return -number

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
        if type(owner) is Values and type(key) is int and 0 <= key < len(owner):
            return owner[key]
        if type(owner) is Arrays and type(key) is str:
            return owner.load(key)
        raise self.error(f"there is nothing at {key!r} of {getattr(node.value, 'id', 'that')}")

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
        if not isinstance(found, Flag):
            self._refuse(node)
        return found

    # -- calls

    def _call(self, node: ast.Call) -> Any:
        function = self.value(node.func, raw=True)
        if function == _JSON:
            return self._json(node)
        if function == _BASE64:
            return self._base64(node)
        if type(function) is Helper and function.name == "_table":
            functions, rows = self._of_table(node)
            return Table(self, functions, rows).values
        arguments = tuple([self.value(part) for part in node.args])
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
        """Call the object of a name, or a helper."""
        if type(function) is Name:
            if function in COPYREG:
                function = COPYREG[function]
            else:
                return self.allowed.call(function, arguments, keywords)
        if type(function) is Helper:
            if keywords:
                raise self.error(f"{function.name} takes no keywords")
            try:
                return function.apply(self.allowed, *arguments)
            except SerializationError:
                raise
            except TypeError as error:
                raise self.error(f"{function.name}: {error}") from error
        raise self.error("a value is called: archives call only what they have imported")

    def _block(self, node: ast.Call) -> tuple[str, bool]:
        """Return the block that is the only argument of a call, and whether its line breaks are escaped."""
        broken = False
        found: Any = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if isinstance(found, ast.Call) and isinstance(found.func, ast.Attribute):
            if (
                found.func.attr != "replace"
                or [getattr(part, "value", None) for part in found.args] != _BROKEN
            ):
                self._refuse(node)
            found, broken = found.func.value, True
        if not isinstance(found, ast.Name) or found.id not in self._blocks:
            self._refuse(node)
        return self._blocks[found.id], broken

    def _json(self, node: ast.Call) -> Any:
        text, broken = self._block(node)
        if broken:
            text = text.replace("\\\n", "")
        self.count(text.count(",") + text.count("[") + text.count("{"))
        try:
            return json.loads(text)
        except ValueError as error:
            raise CorruptValueError(f"line {self._line}: a block that is no JSON: {error}") from error

    def _base64(self, node: ast.Call) -> bytes:
        text, _ = self._block(node)
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (ValueError, binascii.Error) as error:
            raise CorruptValueError(f"line {self._line}: a block that is no base64: {error}") from error

    def _of_table(self, node: ast.Call) -> tuple[list[Any], Any]:
        """Return the expressions and the rows of a table."""
        if len(node.args) != 2 or node.keywords:
            self._refuse(node)
        functions, rows = node.args
        if not isinstance(functions, ast.Tuple) or not isinstance(rows, ast.Call):
            self._refuse(node)
        if self.value(rows.func, raw=True) != _JSON:
            self._refuse(node)
        return [self.value(part, raw=True) for part in functions.elts], self._json(rows)

    # -- limits and errors

    def count(self, items: int) -> None:
        """Count values that are made."""
        self._left -= items
        if self._left < 0:
            raise self.error("more values than are allowed: raise max_items if you trust who wrote it")

    def resolved(self, found: Any) -> Any:
        """Return the object of a name, as a value."""
        return self.allowed.find(found) if type(found) is Name else found

    def error(self, message: str) -> SerializationError:
        """Return an error with the position in the text."""
        return SerializationError(f"line {self._line}: {message}")

    def _refuse(self, node: ast.AST) -> NoReturn:
        text = ast.unparse(node)
        raise self.error(f"{type(node).__name__} is not in the grammar of archives: {text[:80]!r}")
