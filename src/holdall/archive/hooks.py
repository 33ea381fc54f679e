"""The result of `get_persistent_rep`: an expression, the objects in it, and its imports."""

import ast
from typing import Any

from holdall._shown import shown
from holdall.archive.graph import Graph, Node
from holdall.archive.references import Reference

__all__ = ["describe_rep"]


def describe_rep(graph: Graph, node: Node, rep: Any) -> None:
    """Describe an object by the representation that its hook returned.

    Raises
    ------
    SerializationError
        If it is not such a representation, or its text is not an expression.
    """
    try:
        text, arguments, imports = rep
        arguments = dict(arguments)
        imports = [(module, name, local) for module, name, local in imports]
    except (TypeError, ValueError) as error:
        raise graph.refuse(
            node,
            "get_persistent_rep has to return (expression, {name: object}, "
            f"[(module, name or None, local name)]), got {shown(rep, 200)}",
        ) from error
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, AttributeError) as error:
        raise graph.refuse(
            node, f"its get_persistent_rep gave {shown(text, 200)}, which is no expression: {error}"
        ) from error
    graph.keep(arguments)
    slots = {name: graph.slot(value, node, ("attribute", name)) for name, value in arguments.items()}
    if not _as_call(graph, node, tree, slots, imports):
        lines = [
            f"import {module} as {local}" if name is None else f"from {module} import {name} as {local}"
            for module, name, local in imports
        ]
        node.kind, node.slots, node.extra = "code", list(slots.values()), (text.strip(), list(slots), lines)


def _as_call(graph: Graph, node: Node, tree: Any, slots: dict[str, Any], imports: list[Any]) -> bool:
    """Describe the expression as a call of an imported function, if its arguments are names and literals."""
    if not isinstance(tree, ast.Call):
        return False
    where = _imported(tree.func, imports)
    values = [_argument(value, slots) for value in tree.args]
    keywords = [pair for keyword in tree.keywords for pair in _keywords(keyword)]
    named = [_argument(value, slots) for _, value in keywords]
    if where is None or None in (*values, *named) or any(name is None for name, _ in keywords):
        return False
    function = Node(None, node, ("", ""))
    function.kind, function.extra, function.uses = "ref", where, 1
    graph.nodes.append(function)
    node.kind, node.function = "call", function
    node.slots = [value[0] for value in (*values, *named) if value is not None]
    node.keywords = tuple(name for name, _ in keywords if name is not None)
    return True


def _keywords(keyword: ast.keyword) -> list[tuple[str | None, ast.expr]]:
    """Return the names and values of a keyword or of ``**{'name': value}``, with None for other names."""
    value = keyword.value
    if keyword.arg is None and isinstance(value, ast.Dict):
        names = [getattr(key, "value", None) for key in value.keys]
        return [
            (name if isinstance(name, str) else None, part)
            for name, part in zip(names, value.values, strict=True)
        ]
    return [(keyword.arg, value)]


def _argument(tree: ast.expr, slots: dict[str, Any]) -> tuple[Any] | None:
    """Return the slot of an argument, if it is a name or a constant."""
    if isinstance(tree, ast.Name) and tree.id in slots:
        return (slots[tree.id],)
    if isinstance(tree, ast.Constant) and isinstance(
        tree.value, str | int | float | bytes | bool | type(None)
    ):
        return (tree.value,)
    return None


def _imported(tree: ast.expr, imports: list[Any]) -> Reference | None:
    """Return what a name, or an attribute of a name, was imported from."""
    path: list[str] = []
    while isinstance(tree, ast.Attribute):
        path.append(tree.attr)
        tree = tree.value
    if not isinstance(tree, ast.Name):
        return None
    for module, name, local in imports:
        if local == tree.id and module != "__main__":
            full = ".".join([*([] if name is None else [name]), *reversed(path)])
            return Reference(module, full) if full else None
    return None
