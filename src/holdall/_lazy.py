"""Modules that import some of their names on first use."""

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any

__all__ = ["modules_on_first_use", "on_first_use"]


def on_first_use(
    module: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a module (PEP 562).

    Parameters
    ----------
    module
        The name of the module.
    homes
        The module of each name that is imported on first use.
    """
    return _hooks(module, homes, lambda name: getattr(import_module(homes[name]), name))


def modules_on_first_use(package: str, names: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose modules need no import of their own.

    Parameters
    ----------
    package
        The name of the package.
    names
        The names of its modules.
    """
    return _hooks(package, names.split(), lambda name: import_module(f"{package}.{name}"))


def _hooks(
    module: str, names: Collection[str], load: Callable[[str], Any]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a module whose further names are loaded by a function."""

    def get(name: str) -> Any:
        if name in names:
            return load(name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    def all_names() -> list[str]:
        return sorted({*vars(sys.modules[module]), *names})

    return get, all_names
