"""The text of an archive around its statements: header, helpers, lazy names, and clean-up."""

import functools
import platform
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from holdall.archive import prelude
from holdall.archive.emit import Unit
from holdall.archive.layout import Group, Part, lay
from holdall.archive.writer import Body

__all__ = ["flat_text", "module_text", "plain_text"]

_BREAK = "\n"

_HEADER = """\
# An archive of Python objects: import it, or read and edit it as text.
# fmt: off
# ruff: noqa
"""


def plain_text(unit: Unit, *, scoped: bool, arrays_name: str) -> str:
    """Return the text of ``str(archive)``: executed in a dict, it leaves only the values there.

    Parameters
    ----------
    unit
        The statements that make the values.
    scoped
        Whether temporary names are local to a function.
    arrays_name
        The dict that external arrays are taken from, deleted at the end.
    """
    body = unit.body
    parts = [_helpers([body]), _render(_body(unit, scoped=scoped))]
    helpers = list(_used([body]))
    parts.append(_delete(helpers if scoped or not body.temporary else [*body.temporary, *helpers]))
    parts.append(f"try: del __builtins__, {arrays_name}\nexcept NameError: pass")
    return "".join(parts)


def flat_text(unit: Unit) -> str:
    """Return the statements of a unit that keep all names, to check the results."""
    return _helpers([unit.body]) + _render(_statements(unit.body))


def module_text(
    eager: Unit,
    later: list[Unit],
    *,
    names: Iterable[str],
    scoped: bool,
    arrays_name: str,
    arrays: str,
    data_format: str,
    single: str | None,
    forget: bool,
) -> str:
    """Return the text of a module.

    Parameters
    ----------
    eager, later
        The statements that make the values, at once and on access.
    names
        The names of the values, in order.
    arrays
        The expression of the dict that loads arrays, or "" if there are none.
    single
        The name of the value that replaces the module, or None.
    forget
        Whether a reload removes the names that were there before.
    """
    bodies = [eager.body, *(unit.body for unit in later)]
    saved = _versions(bodies)
    parts = [_HEADER]
    deleted: list[str] = []
    if forget or later:
        parts.append(prelude.GLOBALS)
    if forget:
        parts.append(prelude.FORGET)
    listed = Group("[", [("", repr(name)) for name in names], "]")
    parts.append(f"__all__ = {lay(listed, 10)}\n")
    if saved:
        parts.append(prelude.EXPLAIN)
    if arrays:
        parts.append(prelude.ARRAYS[data_format])
        parts.append(f"{arrays_name} = {arrays}\n")
    parts.append(_helpers(bodies))
    parts.append(_render(_guarded(_body(eager, scoped=scoped), saved)))
    if eager.body.temporary and not scoped:
        deleted += eager.body.temporary
    for number, unit in enumerate(later, 1):
        parts.append(_lazy(unit, f"_lazy_{number}", saved))
    if later:
        table = Group(
            "{",
            [
                (f"{name!r}: ", f"_lazy_{number}")
                for number, unit in enumerate(later, 1)
                for name in unit.values
            ],
            "}",
        )
        parts.append(f"_lazy = {lay(table, 8)}\n")
        parts.append(prelude.LAZY)
    else:
        deleted += _used(bodies)
        if arrays:
            deleted += [arrays_name, "_Arrays"]
        if saved:
            deleted.append("_explain")
    if forget or later:
        deleted.append("_globals")
    parts.append(_delete(deleted))
    if single is not None:
        parts.append(f"import sys as _name\n_name.modules[__name__] = {single}\n")
    return "".join(parts)


def _used(bodies: list[Body]) -> Iterable[str]:
    """Return the helpers that are used, in the order of the prelude."""
    used = {name for body in bodies for name in body.helpers}
    return [name for name in prelude.HELPERS if name in used]


def _helpers(bodies: list[Body]) -> str:
    """Return the text of the helpers that are used."""
    return "".join(prelude.HELPERS[name] for name in _used(bodies))


class _Line(NamedTuple):
    """A statement, the number of spaces before it, and whether only its first line gets them."""

    indent: int
    text: str
    raw: bool = False


def _render(lines: Iterable[_Line]) -> str:
    """Return the text of statements."""
    return "".join(
        f"{' ' * indent}{text if raw or not indent else text.replace(_BREAK, _BREAK + ' ' * indent)}\n"
        for indent, text, raw in lines
    )


def _statements(body: Body, indent: int = 0) -> list[_Line]:
    """Return imports and statements."""
    return [*(_Line(indent, line) for line in body.imports), *(_Line(indent, *line) for line in body.lines)]


def _body(unit: Unit, *, scoped: bool) -> list[_Line]:
    """Return the statements of a unit, in a function of their own if that separates names."""
    if not scoped or unit.is_plain:
        return _statements(unit.body)
    if not unit.values:
        return []
    names: list[Part] = [("", name) for name in unit.values]
    return [
        _Line(0, "def _scope():"),
        *_statements(unit.body, 4),
        _Line(4, f"return {lay(Group('(', names, ')'), 20)}"),
        _Line(0, f"{lay(Group('(', names, ')'), 20)} = _scope()"),
        _Line(0, "del _scope"),
    ]


def _guarded(lines: list[_Line], saved: Mapping[str, str]) -> list[_Line]:
    """Return statements within a ``try`` that explains errors."""
    if not saved or not lines:
        return lines
    return [
        _Line(0, "try:"),
        *(_Line(indent + 4, text, raw) for indent, text, raw in lines),
        _Line(0, "except Exception as _problem:"),
        _Line(4, f"raise _explain(_problem, {dict(saved)!r}) from _problem"),
    ]


def _lazy(unit: Unit, name: str, saved: Mapping[str, str]) -> str:
    """Return the function that makes values on access."""
    pairs: list[Part] = [(f"{value!r}: ", value) for value in unit.values]
    made = _Line(0, f"return {lay(Group('{', pairs, '}'), 20)}")
    lines = _guarded([*_statements(unit.body), made], saved)
    inside = (_Line(indent + 4, text, raw) for indent, text, raw in lines)
    return _render([_Line(0, f"def {name}():"), *inside])


def _delete(names: Iterable[str]) -> str:
    """Return the statements that delete names."""
    lines: list[str] = []
    line = ""
    for name in names:
        if line and len(line) + len(name) + 2 > 96:
            lines.append(line)
            line = ""
        line += f", {name}" if line else f"del {name}"
    return "".join(f"{text}\n" for text in [*lines, line] if text)


def _versions(bodies: list[Body]) -> dict[str, str]:
    """Return Python and the distributions of classes in the text, with their versions."""
    found: dict[str, str] = {}
    for root in sorted({module.partition(".")[0] for body in bodies for module in body.modules}):
        if root in sys.stdlib_module_names:
            continue
        version = _version(root)
        if version is not None:
            found[version[0]] = version[1]
    if not found and not any(set(body.modules) - {"json", "base64", "builtins"} for body in bodies):
        return {}
    return {"Python": platform.python_version(), **found}


@functools.cache  # searching all distributions is slow; a loaded module does not change
def _version(root: str) -> tuple[str, str] | None:
    """Return the distribution of a module, and its version."""
    from importlib import metadata  # noqa: PLC0415

    try:
        return root, metadata.version(root)
    except (metadata.PackageNotFoundError, ValueError):
        pass
    for distribution in metadata.packages_distributions().get(root, ()):
        return distribution, metadata.version(distribution)
    version: Any = getattr(sys.modules.get(root), "__version__", None)
    return (root, version) if isinstance(version, str) else None
