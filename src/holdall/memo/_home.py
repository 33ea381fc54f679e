"""The project of a function, and the names of things in it."""

import os
import sys
import types
from collections.abc import Iterator
from importlib.machinery import PathFinder
from typing import Any

from holdall._scripts import is_installed
from holdall.memo._encoder import is_found
from holdall.memo._project import MAIN, file_of_module, label_of, project_of

__all__ = ["Home", "absolute", "layers_of", "plain_of", "title_of"]


def plain_of(thing: Any) -> Any:
    """Return what is finally called: the function below memoized ones, methods and descriptors."""
    while True:
        if isinstance(thing, staticmethod | classmethod | types.MethodType):
            thing = thing.__func__
        elif hasattr(type(thing), "cache_info") and hasattr(thing, "__wrapped__"):  # ours, lru_cache's
            thing = thing.__wrapped__
        else:
            return thing


def layers_of(function: Any) -> Iterator[Any]:
    """Yield a function and those that decorators say they wrapped."""
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        function = plain_of(function)
        yield function
        function = vars(function).get("__wrapped__") if hasattr(function, "__dict__") else None


def title_of(thing: Any) -> str:
    """Return the name of a function or class, the same if its module is run or imported."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    label = label_of(module) if module is not None else getattr(thing, "__module__", None) or ""
    return f"{label}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def absolute(name: str, level: int, package: str) -> str:
    """Return the full name of a module in an import statement."""
    if not level:
        return name
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if base else name


class Home:
    """The project of a function or class.

    Parameters
    ----------
    function
        The function.
    """

    def __init__(self, function: Any) -> None:
        innermost = list(layers_of(function))[-1]
        self._scope = getattr(innermost, "__globals__", None)
        name = getattr(innermost, "__module__", None) or ""
        module = sys.modules.get(name)
        file = None if module is None else file_of_module(module)
        if file is None and isinstance(self._scope, dict):
            file = self._scope.get("__file__")
        self._top = name.partition(".")[0]
        self.root: str | None = None
        if file is not None:
            self.root = project_of(os.path.dirname(os.path.realpath(file))).root
        elif name in MAIN or module is None:  # typed in
            self.root = project_of(os.path.realpath(os.getcwd())).root
        self._known: dict[str, bool] = {}

    def holds(self, scope: dict[str, Any]) -> bool:
        """Return whether a module, given by its globals, is of the same project or package."""
        if scope is self._scope:
            return True
        name, file = scope.get("__name__"), scope.get("__file__")
        if not isinstance(name, str) or name in MAIN:
            return True
        top = name.partition(".")[0]
        if top in {self._top, "holdall"}:  # holdall itself is not part of the computation
            return top == self._top
        if file is None:  # a package without __init__.py
            return any(self.has(folder) for folder in scope.get("__path__", ()))
        return isinstance(file, str) and self.has(file)

    def holds_class(self, cls: type) -> bool:
        """Return whether a class is of the same project or package, or its name does not lead to it."""
        module = sys.modules.get(cls.__module__)
        return (module is not None and self.holds(vars(module))) or not is_found(cls)

    def has(self, file: str) -> bool:
        """Return whether a file belongs to the project."""
        known = self._known.get(file)
        if known is None:
            path = os.path.realpath(file)
            inside = self.root is not None and path.startswith(os.path.join(self.root, ""))
            known = self._known[file] = inside and not is_installed(path)
        return known

    def find(self, name: str) -> str | None:
        """Return the file of a module of the project, which need not have been imported."""
        path: Any = None
        whole = ""
        origin = None
        if name.partition(".")[0] in sys.stdlib_module_names:
            return None
        for part in name.split("."):
            whole = f"{whole}.{part}" if whole else part
            try:
                spec = PathFinder.find_spec(whole, path)
            except (ImportError, AttributeError, ValueError, OSError):
                return None
            if spec is None:
                return None
            origin, path = spec.origin, spec.submodule_search_locations or ()
        if origin is None or not origin.endswith(".py") or not self.has(origin):
            return None
        return os.path.realpath(origin)
