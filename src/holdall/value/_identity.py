"""The name of a value, from the scope and the name to which the call that makes it is assigned.

Both are read from the source of the call itself, whose columns the interpreter reports, never from a line
number: lines move when a script is edited.
"""

import ast
import re
from itertools import islice
from types import CodeType, FrameType
from typing import NamedTuple

from holdall.errors import InvalidArgumentError
from holdall.persisters.script import code_of

_LOOPS = (
    *(ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    ast.Lambda,
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# A line that is neither empty nor a comment.
_CODE = re.compile(rb"^[ \t\f]*[^#\s]", re.MULTILINE)

Span = tuple[int, int, int, int]


class Site(NamedTuple):
    """The position at which a value is made.

    Parameters
    ----------
    path
        The file; None if there is none.
    span
        First and last line, first and last column.
    """

    path: str | None
    span: Span | None

    def __str__(self) -> str:
        where = self.path or "the code"
        return where if self.span is None else f"{where}, line {self.span[0]}, column {self.span[2] + 1}"


class _Source(NamedTuple):
    head: bytes
    tree: ast.Module


_sources: dict[str, _Source] = {}


def span_of(frame: FrameType) -> Span | None:
    """Return the lines and columns of the call that a frame is in; None if they were left out.

    Parameters
    ----------
    frame
        The frame of the caller.
    """
    first, last, start, end = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    if first is None or last is None or start is None or end is None:
        return None
    return first, last, start, end


def name_of(frame: FrameType, site: Site) -> str:
    """Return the name of the value that is being made.

    Parameters
    ----------
    frame
        The frame of the caller.
    site
        The position of the call.

    Raises
    ------
    InvalidArgumentError
        If the name cannot be found in the source; the message says why.
    """
    if site.path is None:
        raise _nameless(site, "its source is not known")
    if site.span is None:
        raise _nameless(site, "this Python runs without the columns of its code (PYTHONNODEBUGRANGES)")
    code = frame.f_code
    above = _find(site.path, site.span, code)
    if above is None:
        raise _nameless(
            site,
            "no call stands there: something else calls Value, such as map() or a decorator, or the file was "
            "edited since it was loaded",
        )
    target = _target(above, code, site)
    scope = code.co_qualname
    return target if scope == "<module>" else f"{scope}.{target}"


def still_calls(site: Site) -> bool:
    """Return whether there is a call at this position of the file as it is now.

    After a module was edited and loaded again, values are at other positions than before.

    Parameters
    ----------
    site
        The position at which a value was made.
    """
    if site.path is None or site.span is None:
        return False
    head = _read(site.path)
    source = _sources.get(site.path)
    if source is None or source.head != head:
        source = _parse(site.path, head)
    return source is not None and _around(source.tree, site.span) is not None


def _nameless(site: Site, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"the Value in {site} has no name of its own: {why}. Give it one that stays: "
        "Value(default, name='...')",
    )


def _find(path: str, span: Span, code: CodeType) -> list[ast.AST] | None:
    """Return the nodes around a call, outermost first, the call last."""
    source = _sources.get(path)
    above = _around(source.tree, span) if source is not None else None
    if above is None or not _fits(above, code):
        head = _read(path)
        if source is not None and head == source.head:
            return None
        source = _parse(path, head)
        above = _around(source.tree, span) if source is not None else None
    return above if above is not None and _fits(above, code) else None


def _parse(path: str, head: bytes | None) -> _Source | None:
    """Parse the program of a script, once, and again after the script was edited."""
    if head is None:
        return None
    try:
        source = _sources[path] = _Source(head, ast.parse(head))
    except (SyntaxError, ValueError):
        return None
    return source


def _read(path: str) -> bytes | None:
    """Return the program of a script, without its data unless more of the program follows them."""
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError:
        return None
    head = code_of(source, path)
    return source if _CODE.search(source, len(head)) else head


def _around(tree: ast.AST, span: Span) -> list[ast.AST] | None:
    """Return the nodes down to the call that has exactly this span."""
    above = [tree]
    while True:
        for child in ast.iter_child_nodes(above[-1]):
            inside = _encloses(child, span)
            if inside is None:  # arguments, comprehensions, cases: without a position
                deeper = _around(child, span)
                if deeper is not None:
                    return above + deeper
            elif inside:
                above.append(child)
                break
        else:
            return None
        if isinstance(above[-1], ast.Call) and _span(above[-1]) == span:
            return above


def _span(node: ast.expr) -> Span:
    return node.lineno, node.end_lineno or 0, node.col_offset, node.end_col_offset or 0


def _encloses(node: ast.AST, span: Span) -> bool | None:
    if not hasattr(node, "lineno"):
        return None
    first, last, start, end = span
    # Decorators come before the line at which their function is said to begin.
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and any(_encloses(d, span) for d in node.decorator_list):
        return True
    begins = (node.lineno, node.col_offset) <= (first, start)  # type: ignore[attr-defined]
    return begins and (last, end) <= (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]


def _fits(above: list[ast.AST], code: CodeType) -> bool:
    """Return whether the running code is that of the scope that contains the call."""
    for node in reversed(above):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            return code.co_name == node.name or code.co_name.startswith("<")
    return code.co_name.startswith("<")


def _target(above: list[ast.AST], code: CodeType, site: Site) -> str:
    """Return the name that a call is assigned to."""
    for node in reversed(above[:-1]):
        if isinstance(node, _LOOPS):
            kind = "a lambda" if isinstance(node, ast.Lambda) else "a loop or comprehension"
            raise _nameless(site, f"it is made in {kind}, again and again")
        if isinstance(node, _FUNCTIONS):
            break
    call = above[-1]
    parts: list[int] = []
    for node in reversed(above[:-1]):
        if isinstance(node, ast.Tuple | ast.List):
            parts.insert(0, next(i for i, part in enumerate(node.elts) if part is call))
            call = node
            continue
        target = _assigned(node, call)
        for index in parts:
            target = _part(target, index)
        if isinstance(target, ast.Name):
            return target.id
        if isinstance(target, ast.Attribute) and not code.co_flags & 1:  # in a module, not in a function
            return ast.unparse(target)
        if isinstance(target, ast.Attribute):
            raise _nameless(site, f"{ast.unparse(target)} is another one for each object")
        break
    raise _nameless(site, "it is not assigned to a name")


def _assigned(node: ast.AST, value: ast.AST) -> ast.expr | None:
    """Return what a statement or a walrus assigns a value to."""
    if isinstance(node, ast.Assign) and node.value is value:
        names = [target for target in node.targets if isinstance(target, ast.Name)]
        return (names or node.targets)[0]
    if isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is value:
        return node.target
    return None


def _part(target: ast.expr | None, index: int) -> ast.expr | None:
    """Return the part of a target that gets the element of a tuple at an index."""
    if not isinstance(target, ast.Tuple | ast.List):
        return None
    if any(isinstance(part, ast.Starred) for part in target.elts) or index >= len(target.elts):
        return None
    return target.elts[index]
