r"""Python source that rebuilds a graph of named values: the grammar, and the functions that write it.

The steps from a value to a file::

    graph.walk(values)     objects -> nodes; each object is reduced once, cycles are allowed
    plan.arrange(...)      nodes -> components of names, each an ordered list of steps (make, shell, fill)
    emit.emit(graph)       steps -> statements, or rows of a table: one `Unit` for what is made at once, and
                           units for what is made on access
    check.check(unit)      executes them
    build.build(values)    all of the above
    module.module_text     units -> the text of a module: header, loader of arrays, lazy names, clean-up
    publish.publish(...)   text and arrays -> files, replaced at once

The grammar is closed: a reader that runs no code can evaluate it statement by statement.

Text
----
Lines are separated by ``\n`` and have at most 100 columns (identifiers aside), none ends in a blank, and all
characters that a tool could change, that is those not printable, are escaped. The text means the same with
``\r\n``, without its last newline, and with blanks stripped from the ends of lines.

Module
------
::

    module    := comment* preamble body lazy* postamble
    preamble  := fixed blocks of `prelude.py`, in their order, each at most once (compared as text)
               | `__all__ = [` strings `]`
               | arrays `= _Arrays(` folder or file, mmap `)`       two literals; by default to `_arrays`
    body      := statement*
               | `def _scope():` statement* `return (` names `)`  `(` names `) = _scope()`  `del _scope`
    lazy      := `def _lazy_N():` statement* `return {` 'name': name, ... `}`
    postamble := `_lazy = {` 'name': _lazy_N, ... `}` | a fixed block of `prelude.py` | `del` names
               | `import sys as _name`  `_name.modules[__name__] = ` name        a single item
               | `try: del __builtins__, _arrays`  `except NameError: pass`      only in `str(archive)`

The text of ``str(archive)`` has no comments and no lazy parts. A body that would need a clean-up
(temporary names, imports) is put into ``_scope`` if the archive is scoped. In a saved module that names
classes, the body and the statements of each lazy part are inside of ``try:`` with the fixed handler
``except Exception as _problem:`` ``raise _explain(_problem, {name: version}) from _problem``.

Statements
----------
::

    statement := `import` a.b (`as` n)?  |  `from` a.b `import` X (`as` n)?
               | name `=` expr
               | name `= json.loads(r'''` newline JSON newline `''')`               a JSON block
               | name `= json.loads(r'''` ... `'''.replace('\\\n', ''))`            one with long texts
               | name `= b64decode('''` newline base64 lines newline `''')`
               | name `= _table((` expr, ... `),` JSON block of rows `)`
               | name`.extend([` expr, ... `])`           exact lists only
               | name`.update({` expr: expr, ... `})`     exact dicts only
               | name`.update([` expr, ... `])`           exact sets only
               | helper `(` name, expr... `)`             a helper that fills
               | function `(` name, expr `)`              a state setter of `__reduce_ex__`
               | `def _gN(a, ...):` imports `return` expression       any code, of `get_persistent_rep`
    expr      := literal of None, True, False, int, float (never nan or inf), str, bytes, `...`
               | `-` number | implicit concatenation of strings or of bytes in parentheses
               | [expr, ...] | (expr, ...) | {expr: expr, ...} | {expr, ...}
               | name                                     assigned or imported before
               | name.attribute(.attribute)*              of an imported name: nested classes, enum members
               | name['member']                           an enum member, or an array: `_arrays['array_0']`
               | name.A `|` name.B                        flags
               | name[n]                                  a value of a table
               | function `(` expr, ..., key=expr, ..., **{'key': expr} `)`
                                                          a class, function, builtin or helper

Builtins are complex, float, int, set, frozenset, bytearray, range, slice, getattr, NotImplemented, and
classes and functions that are values themselves. Each has its own name, unless a value has that name: then it
is imported from ``builtins`` under another. Expressions nest at most 40 brackets, and those of all values
that share objects have at most some 2,000 leaves together: larger data go into JSON blocks and tables. A
statement that is not a block is thus shorter than 256 KB.

A JSON block contains values that JSON represents exactly: list, dict with keys of str, str, int of at most
4,200 digits, float (NaN, Infinity and -Infinity included), bool, None; no value in it is shared. There is one
item per line. In a block with long texts a backslash before a line break continues the text on the next line.
Three single quotes in a row are written with the last of them as ``\u0027``.

Helpers
-------
Fixed functions of `prelude.py`, defined in the text when it uses them, and deleted again:

``_new(cls, *args)``, ``_new_ex(cls, args, kwargs)``
    An instance without ``__init__``: ``copyreg.__newobj__``, ``copyreg.__newobj_ex__``.
``_object(cls, {name: value})``
    ``_fill(_new(cls), {...})``.
``_fill(obj, {name: value})``, ``_slots(obj, {name: value})``
    Put values into ``__dict__``, or into slots, without setters. Return obj, as all below.
``_setstate(obj, state)``
    ``obj.__setstate__(state)``.
``_extend(obj, [items])``, ``_items(obj, [(key, value), ...])``
    Append to or set items of an instance of any class, as pickle does.
``_error(cls, args)``, ``_chain(error, cause, context, suppress)``
    An exception whose own ``__init__`` is not run; what it was raised from.
``_ndarray(data, dtype, shape, order)``, ``_objects(items, dtype, shape, order)``, ``_scalar(bytes, dtype)``
    Arrays and scalars: from a nested list or bytes, or a flat list of objects. The order is "C" or "F".
``_restore(array, dtype, shape, order)``
    An external array of bytes (or with dtype None, of elements), flat, in its true dtype and shape.
``_view(base, dtype, shape, strides, offset)``
    An array that shares the memory of another; strides and offset are in bytes.
``_cast(array, dtype, cls)``, ``_readonly(array)``, ``_masked(data, mask, fill, hard, cls)``
    An array of another dtype or class (None: as it is); not writeable; masked (mask False: none).
``_frame([column, ...], index, columns)``
    A frame of pandas.

Table
-----
``_table((f0, f1, ...), rows)`` returns a list with one value per row. The first item of a row is the
operation, the others are *slots*: a JSON scalar is itself, ``[n]`` the value of row n, ``["f", n]`` the
expression fn.

=====================================  ======================================================================
row                                    value
=====================================  ======================================================================
``["json", value]``                    any JSON, as it is
``["list", ...]``, ``["tuple", ...]``  such a container of the slots; also ``"set"`` and ``"frozenset"``
``["dict", k, v, ...]``                a dict
``["bytes", text]``, ``["base64", t]`` bytes, of characters of latin-1, or of base64
``["int", "0x..."]``                   an integer too long for JSON
``["complex", re, im]``                a complex number
``["call", f, ...]``                   ``f(...)``
``["apply", f, args, kwargs]``         ``f(*args, **kwargs)``, given a tuple and a dict
``["object", f, k, v, ...]``           ``_object(f, {k: v, ...})``
``["extend", x, ...]``                 fills a list; ``["update", x, k, v, ...]`` a dict
``["add", x, ...]``                    fills a set
``["fill", x, k, v, ...]``             ``_fill(x, {...})``; likewise ``"slots"``
``["setstate", x, s]``                 ``_setstate(x, s)``
``["append", x, ...]``                 ``_extend(x, [...])``; ``["items", x, k, v, ...]`` is ``_items``
``["chain", x, cause, context, s]``    ``_chain(...)``
``["set by", f, x, s]``                ``f(x, s)``
=====================================  ======================================================================
"""

from collections.abc import Iterable
from typing import Any

from holdall.archive.graph import Graph, Node
from holdall.archive.layout import Group, json_block, lay
from holdall.archive.naming import Names
from holdall.archive.plan import FREE, Component, arrange, components, sort_sets
from holdall.archive.sizes import choose
from holdall.archive.tables import table_rows
from holdall.archive.writer import ArrayNames, Body, one_line

__all__ = ["Unit", "emit"]


class Unit:
    """A body, and the names that it makes."""

    def __init__(self, names: Names, arrays: ArrayNames, free: frozenset[str]) -> None:
        self.body = Body(names, arrays, free)
        self.values: list[str] = []
        self.late: list[Node] = []

    @property
    def is_plain(self) -> bool:
        """Return whether nothing needs to be cleaned up after it."""
        return not self.body.temporary


def emit(
    graph: Graph, arrays: ArrayNames, *, prefix: str = "_g", lazy: bool = False
) -> tuple[Unit, list[Unit]]:
    """Write the statements that make the values of a graph.

    Parameters
    ----------
    graph
        The graph of the named values. It is consumed: its nodes get names.
    arrays
        Collects the external arrays.
    prefix
        The prefix of names for objects without one.
    lazy
        Whether names that need external arrays are made separately, each by itself if it shares nothing.

    Returns
    -------
    tuple
        The unit of everything that is made at once, and a list of units that are made when one of their names
        is accessed.

    Raises
    ------
    SerializationError
        If making an object needs the object itself.
    """
    sort_sets(graph)
    names = Names([*graph.roots, arrays.dict_name], prefix)
    free = FREE | {"external"} if lazy else FREE
    eager = Unit(names, arrays, free)
    later: list[Unit] = []
    for component in components(graph, free):
        arrange(component)
        unit = eager
        if lazy and _needs_arrays(component):
            unit = Unit(names, arrays, free)
            later.append(unit)
        unit.values += component.names
        unit.late += component.late
        _write(component, unit.body)
    order = list(graph.roots)
    eager.values.sort(key=order.index) if len(order) < 1000 else None
    return eager, later


def _needs_arrays(component: Component) -> bool:
    """Return whether making the values of a component loads an array from a file."""
    slots: Iterable[Any] = component.names.values()
    if any(type(slot) is Node and slot.kind == "external" for slot in slots):
        return True
    return any(any(part.kind == "external" for part in node.parts()) for node in component.nodes)


def _write(component: Component, body: Body) -> None:
    """Write the statements of a component."""
    if choose(component):
        for what, node, fills in component.steps:
            if what == "fill":
                _fill(node, body)
            elif what == "attributes":
                for fill in fills:
                    body.add(body.filled(fill, str(node.name)))
            elif node.own and node.kind not in body.free:
                _make(node, body)
    else:
        _table(component, body)
    for name, slot in component.names.items():
        if type(slot) is not Node:
            body.assign(name, body.plain(slot))
        elif slot.kind in body.free:
            body.assign(name, body.construct(slot))
        elif slot.name != name:
            body.assign(name, slot.name if slot.name is not None else body.construct(slot))


def _make(node: Node, body: Body) -> None:
    """Write the statement that makes an object, complete or as a shell."""
    by_setter = any(fill.how == "set by" for fill in node.fills)
    if node.block and node.kind != "leaf":
        text: str | Group = json_block(node.obj, f"{body.imported('json', '')}.loads")
    elif by_setter and not node.shelled:
        text = body.creation(node)
    else:
        text = body.construct(node)
    node.name = node.names[0] if node.names else body.generated()
    body.made[node.name] = node
    body.assign(node.name, text, raw=node.block)
    if by_setter and not node.shelled:
        _fill(node, body)


def _fill(node: Node, body: Body) -> None:
    """Write the statements that fill a shell."""
    name = str(node.name)
    if node.kind == "dict":
        if node.slots:
            body.add(Group(f"{name}.update(", [("", body.pairs(node.slots))], ")"))
    elif node.kind in {"list", "set"} and node.slots:
        how = "extend" if node.kind == "list" else "update"
        items = Group("[", [("", body.expression(slot)) for slot in node.slots], "]")
        body.add(Group(f"{name}.{how}(", [("", items)], ")"))
    for fill in node.fills:
        if fill.how == "set by":
            setter = one_line(body.expression(fill.function))
            body.add(Group(f"{setter}(", [("", name), ("", body.expression(fill.slots[0]))], ")"))
        else:
            body.add(body.filled(fill, name))


def _table(component: Component, body: Body) -> None:
    """Write all objects of a component as rows of one table."""
    functions, rows = table_rows(component, body)
    table = body.generated()
    helper = body.helper("_table")
    listed = lay(Group("(", [("", text) for text in functions], ")"), len(table) + len(helper) + 8)
    loads = f"{body.imported('json', '')}.loads"
    body.lines.append((f"{table} = {helper}({listed}, {json_block(rows, loads)})", True))
    for name, slot in component.names.items():
        if type(slot) is Node and slot.name is None:
            slot.name = name
            body.assign(name, f"{table}[{slot.depth}]")
    for node in component.late:
        node.name = node.name or f"{table}[{node.depth}]"
