"""Modules that import some of their names on first use."""

import sys
from collections.abc import Callable, Mapping
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

    def get(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*vars(sys.modules[module]), *homes})

    return get, names


def modules_on_first_use(package: str, names: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose modules need no import of their own.

    Parameters
    ----------
    package
        The name of the package.
    names
        The names of its modules.
    """
    known = names.split()

    def get(name: str) -> Any:
        if name in known:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def all_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *known})

    return get, all_names
