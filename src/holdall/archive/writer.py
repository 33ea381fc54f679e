"""The text of a body: imports, names and expressions, for statements and tables."""

import keyword
import math
import re
from typing import Any

from holdall.archive import prelude
from holdall.archive.graph import Node
from holdall.archive.layout import Group, Part, base64_block, flat, json_block, lay, quoted
from holdall.archive.naming import Names
from holdall.archive.references import Reference

__all__ = ["ArrayNames", "Body", "code_function", "is_keyword_name", "one_line"]


class ArrayNames:
    """Names of external arrays, chosen on first use.

    Parameters
    ----------
    dict_name
        The name of the dict from which the text takes arrays.
    taken
        Names of arrays in use.
    """

    def __init__(self, dict_name: str = "_arrays", taken: Any = ()) -> None:
        self.dict_name = dict_name
        self.data: dict[str, Any] = {}
        self._taken = frozenset(taken)
        self._names: dict[Node, str] = {}
        self._next = 0

    def name_of(self, node: Node) -> str:
        """Return the name of an array."""
        name = self._names.get(node)
        while name is None:
            candidate = f"array_{self._next}"
            self._next += 1
            if candidate not in self._taken:
                name = self._names[node] = candidate
                self.data[name] = node.extra
        return name


class Body:
    """Statements that make values, with the imports and helpers they need.

    Attributes
    ----------
    lines
        Statements; those after the first line of a `raw` one must not be indented.
    helpers
        Names of the helpers used.
    temporary
        Names to be deleted when the values have been made.
    """

    def __init__(self, names: Names, arrays: ArrayNames, free: frozenset[str]) -> None:
        self.names = names
        self.free = free  # kinds of nodes that are written wherever they are needed
        self.arrays = arrays
        self.imports: list[str] = []
        self.lines: list[tuple[str, bool]] = []
        self.helpers: dict[str, None] = {}
        self.temporary: list[str] = []
        self.modules: dict[str, None] = {}
        self.made: dict[str, Node] = {}
        self._local: dict[tuple[str, str], str] = {}

    # ------------------------------------------------------------------ names

    def helper(self, name: str) -> str:
        """Note that a helper is used, and return its name."""
        self.helpers[name] = None
        for other in prelude.NEEDS.get(name, ()):
            self.helpers[other] = None
        return name

    def builtin(self, name: str) -> str:
        """Return the name of a builtin in the text: another one if a value has its name."""
        return self.imported("builtins", name)

    def imported(self, module: str, name: str) -> str:
        """Return the local name of an import; "" is the module itself."""
        key = (module, name)
        local = self._local.get(key)
        if local is None:
            wanted = name or module.rpartition(".")[2]
            if module == "builtins" and self.names.keep_builtin(name):
                local = name
            else:
                local = self.names.claim(wanted)
                self._import(module, name, local)
            self._local[key] = local
        return local

    def _import(self, module: str, name: str, local: str) -> None:
        if name:
            self.imports.append(f"from {module} import {name}" + ("" if name == local else f" as {local}"))
        else:
            plain = local == module
            self.imports.append(f"import {module}" + ("" if plain else f" as {local}"))
        self.temporary.append(local)
        self.modules[module] = None

    def reference(self, where: Reference) -> str:
        """Return the expression of a class, function or module by name."""
        if not where.path:
            return self.imported(where.module, "")
        first, dot, rest = where.path.partition(".")
        return self.imported(where.module, first) + dot + rest

    def generated(self, prefix: str | None = None) -> str:
        """Return a new name for an object without one, to be deleted at the end."""
        name = self.names.generate(prefix)
        self.temporary.append(name)
        return name

    # ------------------------------------------------------------------ expressions

    def plain(self, value: Any) -> str | Group:
        """Return the literal of a plain value, or a call where there is none."""
        kind = type(value)
        if kind is float:
            return self.number(value)
        if kind is str or kind is bytes:
            return quoted(value)
        if kind is complex:
            return f"{self.builtin('complex')}({self.number(value.real)}, {self.number(value.imag)})"
        if value is ...:
            return "..."
        return repr(value) if value is not NotImplemented else self.builtin("NotImplemented")

    def number(self, value: float) -> str:
        """Return a float as text that is not a name."""
        if math.isfinite(value):
            return repr(value)
        return f"{self.builtin('float')}('{value!r}')"

    def expression(self, slot: Any) -> str | Group:
        """Return the expression of a slot: its name, if it has a statement of its own."""
        if type(slot) is not Node:
            return self.plain(slot)
        if slot.own and slot.name is not None and slot.kind not in self.free:
            return slot.name
        return self.construct(slot)

    def construct(self, node: Node) -> str | Group:
        """Return the expression that makes an object, complete or, for a shell, without its fills."""
        text = self.creation(node)
        if node.shelled:
            return text
        if (
            len(node.fills) == 1
            and node.fills[0].how == "fill"
            and node.extra == "_new"
            and len(node.slots) == 1
        ):
            filled = self._filling(node.fills[0])
            return Group(
                f"{self.helper('_object')}(", [("", self.expression(node.slots[0])), ("", filled)], ")"
            )
        for fill in node.fills:
            text = self.filled(fill, text)
        return text

    def filled(self, fill: Any, target: str | Group) -> str | Group:
        """Return the call that fills an object."""
        if fill.how == "set by":
            raise AssertionError("has a statement of its own")
        name = self.helper(f"_{fill.how}")
        if fill.how == "chain":
            return Group(
                f"{name}(", [("", target), *(("", self.expression(slot)) for slot in fill.slots)], ")"
            )
        return Group(f"{name}(", [("", target), ("", self._filling(fill))], ")")

    def _filling(self, fill: Any) -> str | Group:
        """Return the second argument of a helper that fills."""
        express = self.expression
        slots = fill.slots
        if fill.how == "setstate":
            return express(slots[0])
        if fill.how == "extend":
            return Group("[", [("", express(slot)) for slot in slots], "]")
        if fill.how == "items":
            return Group(
                "[",
                [
                    ("", Group("(", [("", express(key)), ("", express(value))], ")"))
                    for key, value in zip(slots[::2], slots[1::2], strict=True)
                ],
                "]",
            )
        return self.pairs(slots)

    def pairs(self, slots: list[Any]) -> Group:
        """Return a dict from alternating keys and values."""
        parts: list[Part] = []
        for key, value in zip(slots[::2], slots[1::2], strict=True):
            written = self.expression(key)
            parts.append((f"{written}: " if isinstance(written, str) else written, self.expression(value)))
        return Group("{", parts, "}")

    def creation(self, node: Node) -> str | Group:
        """Return the expression that makes an object, without its fills; shells of containers are empty."""
        kind = node.kind
        if kind in {"list", "tuple", "set", "frozenset", "dict"}:
            return self._container(node)
        if kind == "ref":
            return self.reference(node.extra)
        if kind == "call":
            return self._call(node)
        if kind == "leaf":
            return self._leaf(node)
        if kind == "member":
            owner = self.expression(node.function)
            return f"{owner}.{node.extra}" if is_keyword_name(node.extra) else f"{owner}[{node.extra!r}]"
        if kind == "flags":
            return " | ".join(str(self.expression(slot)) for slot in node.slots)
        if kind == "code":
            return Group(
                f"{code_function(node, self)}(", [("", self.expression(slot)) for slot in node.slots], ")"
            )
        return f"{self.arrays.dict_name}[{self.arrays.name_of(node)!r}]"

    def _container(self, node: Node) -> str | Group:
        kind, slots = node.kind, [] if node.shelled and node.kind in {"list", "set", "dict"} else node.slots
        if kind == "dict":
            return self.pairs(slots)
        parts: list[Part] = [("", self.expression(slot)) for slot in slots]
        if kind == "list":
            return Group("[", parts, "]")
        if kind == "tuple":
            return Group("(", parts, ")")
        if kind == "set":
            return Group("{", parts, "}") if parts else f"{self.builtin('set')}()"
        name = self.builtin("frozenset")
        return Group(f"{name}([", parts, "])") if parts else f"{name}()"

    def _call(self, node: Node) -> Group:
        name = self.helper(node.extra) if node.extra else one_line(self.expression(node.function))
        plain = len(node.slots) - len(node.keywords)
        parts: list[Part] = [("", self.expression(slot)) for slot in node.slots[:plain]]
        for key, slot in zip(node.keywords, node.slots[plain:], strict=True):
            if is_keyword_name(key):
                parts.append((f"{key}=", self.expression(slot)))
            else:
                parts.append(("**", Group("{", [(f"{key!r}: ", self.expression(slot))], "}")))
        return Group(f"{name}(", parts, ")")

    def _leaf(self, node: Node) -> str | Group:
        if node.block:
            if type(node.obj) is str:
                return json_block(node.obj, f"{self.imported('json', '')}.loads")
            return base64_block(node.obj, self.imported("base64", "b64decode"))
        if type(node.obj) is float:
            return self.number(node.obj)
        return self._huge(node.obj) if type(node.obj) is int else quoted(node.obj)

    def _huge(self, value: int) -> str | Group:
        """Return an int of any length: decimal digits have a limit, in the compiler and in JSON."""
        text = hex(value)
        if len(text) <= 80:
            return text
        return Group(f"{self.builtin('int')}(", [("", quoted(text)), ("", "16")], ")")

    # ------------------------------------------------------------------ statements

    def assign(self, name: str, value: str | Group, *, raw: bool = False) -> None:
        """Add a statement that binds a name."""
        self.lines.append((f"{name} = {lay(value, len(name) + 3 + 4)}", raw))

    def add(self, value: str | Group) -> None:
        """Add an expression as a statement."""
        self.lines.append((lay(value, 4), False))


def code_function(node: Node, body: Body) -> str:
    """Write the function that evaluates the result of `get_persistent_rep`; return its name."""
    text, arguments, imports = node.extra
    name = body.generated()
    lines = [f"def {name}({', '.join(arguments)}):", *imports, f"return {text}"]
    body.lines.append(("\n    ".join(lines), False))
    return name


def one_line(item: str | Group) -> str:
    """Return an expression on one line."""
    return flat(item)


_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_keyword_name(name: str) -> bool:
    """Return whether a name can be used after a dot, or before ``=`` in a call, and comes back unchanged."""
    return bool(_IDENTIFIER.fullmatch(name)) and not keyword.iskeyword(name) and name != "__debug__"
