"""Which project a file belongs to, and its name there."""

import os
import re
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

from holdall._scripts import is_installed

__all__ = ["MAIN", "Project", "file_of_module", "imported_as", "label_of", "main_file", "project_of"]

#: The module names of a running script.
MAIN = frozenset({"__main__", "__mp_main__"})
_MARKS = ("pyproject.toml", "setup.cfg", "setup.py", ".git", ".hg")
_REMOTE = re.compile(r'\[remote "origin"\][^\[]*?\burl\s*=\s*(\S+)')


class Project(NamedTuple):
    """Files that belong together and move together.

    Parameters
    ----------
    root
        The folder, links resolved; None for installed modules.
    name
        A name that no other project has by accident: the name in its ``pyproject.toml`` or ``setup.cfg``, or
        the name of its folder and a digest of where it was cloned from, or else of its path.
    """

    root: str | None
    name: str


def main_file(module: Any) -> str | None:
    """Return the file of a running script or notebook; None if it is unknown."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return file
    scope = getattr(module, "__dict__", {})
    for told in (scope.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")):
        if isinstance(told, str) and told.endswith(".ipynb"):
            return os.path.abspath(told)
    return None


def file_of_module(module: Any) -> str | None:
    """Return the file of a module, links resolved; that of a notebook, if the kernel reports it."""
    name = getattr(module, "__name__", "")
    file = main_file(module) if name in MAIN else getattr(module, "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else None


@cache
def project_of(folder: str) -> Project:
    """Return the project of a folder: the nearest marked one above it, or that of its packages.

    Parameters
    ----------
    folder
        A path, links resolved.
    """
    if is_installed(os.path.join(folder, "x")):
        return Project(None, "")
    above = folder
    while True:
        if any(os.path.exists(os.path.join(above, mark)) for mark in _MARKS):
            return Project(above, _named(above) or _unnamed(above))
        parent = os.path.dirname(above)
        if parent == above:
            break
        above = parent
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return Project(folder, _unnamed(folder))


def _named(root: str) -> str | None:
    """Return the name that a project gives itself."""
    try:
        import tomllib  # noqa: PLC0415  (once per project)

        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            told = tomllib.load(file)
        for table in (told.get("project"), told.get("tool", {}).get("poetry")):
            if isinstance(table, dict) and isinstance(table.get("name"), str):
                return _plain(table["name"])
    except (OSError, ValueError, AttributeError):
        pass
    try:
        import configparser  # noqa: PLC0415

        parser = configparser.ConfigParser(interpolation=None)
        parser.read(os.path.join(root, "setup.cfg"), encoding="utf-8")
        return _plain(parser.get("metadata", "name"))
    except (configparser.Error, OSError, ValueError):
        return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower().replace("/", "-")


def _unnamed(root: str) -> str:
    known_by = root
    try:
        with open(os.path.join(root, ".git", "config"), encoding="utf-8") as file:
            found = _REMOTE.search(file.read())
        if found is not None:
            known_by = found[1]
    except (OSError, ValueError):
        pass
    digest = blake2b(os.fsencode(known_by), digest_size=4).hexdigest()
    return f"{os.path.basename(root) or 'root'}-{digest}"


def label_of(module: Any) -> str:
    """Return the dotted name of a module, the same if it is imported or run.

    It is that of its file in its project; for installed modules and those without a file, the name of the
    module.
    """
    return _label(str(getattr(module, "__name__", "") or ""), file_of_module(module))


def imported_as(file: str) -> str:
    """Return the name by which a script would be imported: that of its package, if it is in one."""
    folder, name = os.path.split(os.path.splitext(os.path.realpath(file))[0])
    parts = [name]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        parts.append(package)
    return ".".join(reversed(parts))


@cache
def _label(name: str, file: str | None) -> str:
    if file is None:
        return name
    root = project_of(os.path.dirname(file)).root
    if root is None:
        return os.path.splitext(os.path.basename(file))[0] if name in MAIN else name
    parts = os.path.splitext(os.path.relpath(file, root))[0].split(os.sep)
    if len(parts) > 1 and parts[0] == "src":
        del parts[0]
    if len(parts) > 1 and parts[-1] == "__init__":
        del parts[-1]
    return ".".join(parts)
