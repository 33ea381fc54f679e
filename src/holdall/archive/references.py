"""Classes, functions and sentinels by name: the public names by which other processes find them."""

import builtins
import importlib
import sys
import types
import warnings
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Reference", "UnnamedError", "find_member", "locate", "public_name"]

# Libraries that move names between their modules: the shortest public path lasts longest.
_RESTRUCTURED = frozenset({"numpy", "pandas", "scipy"})

# Names that older versions have, too.
_LASTING = {("numpy", "bool"): "bool_"}


class UnnamedError(Exception):
    """There is no name by which another process would find the same object."""


class Reference(NamedTuple):
    """A module, and the path of attributes from it to the object; "" is the module itself."""

    module: str
    path: str


def find_member(module: ModuleType, path: str) -> Any:
    """Return the object of dotted attributes from a module; raise AttributeError if there is none."""
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name)
    return found


def locate(obj: Any) -> Reference:
    """Return the public name of a class or function, or of an object that has a module and a name.

    Raises
    ------
    UnnamedError
        If it has none, or the name leads to another object.
    """
    path = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    if not isinstance(path, str):
        raise UnnamedError("it has no name")
    if "<" in path:
        kind = "a lambda" if path.endswith("<lambda>") else "defined inside of a function"
        raise UnnamedError(f"{path} is {kind}, so that no other process finds it by name")
    module = getattr(obj, "__module__", None)
    if not isinstance(module, str):
        module = _search(obj, path)
    elif module == "builtins" and isinstance(obj, type) and not hasattr(builtins, path):
        for name, found in vars(types).items():  # types that the interpreter does not export elsewhere
            if found is obj:
                return Reference("types", name)
    return public_name(obj, module, path)


def public_name(obj: Any, module: str, path: str) -> Reference:
    """Return the best of the names of an object that claims to be `path` of `module`.

    Raises
    ------
    UnnamedError
        If none leads to the same object, or only ``__main__`` has it.
    """
    if module == "__main__":
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        real = getattr(spec, "name", None)
        if not real:
            raise UnnamedError(
                f"{path} is defined in __main__, which other processes do not import: move it to a module"
            )
        module = real.removesuffix(".__main__") if real.endswith(".__main__") else real
        if module != real and not _is_member(module, path, obj):
            module = real
        if _main_is(real, path, obj):
            return Reference(module, path)
    path = _LASTING.get((module, path), path)
    for lasting in (True, False):
        for candidate in _candidates(module):
            if _is_member(candidate, path, obj, lasting=lasting):
                return Reference(candidate, path)
    raise UnnamedError(_reason(module, path))


def _main_is(real: str, path: str, obj: Any) -> bool:
    """Return whether the running __main__, which is module `real`, has the object under its name."""
    main = sys.modules["__main__"]
    try:
        return find_member(main, path) is obj and bool(real)
    except AttributeError:
        return False


def _candidates(module: str) -> list[str]:
    """Return the modules where the object may be public, the most durable first."""
    parts = module.split(".")
    root = parts[0].lstrip("_") or parts[0]
    if not (any(part.startswith("_") for part in parts) or root in _RESTRUCTURED):
        return [module]
    public: list[str] = []
    for stop in range(1, len(parts) + 1):
        candidate = ".".join(part.lstrip("_") or part for part in parts[:stop])
        if candidate not in public:
            public.append(candidate)
    if root not in _RESTRUCTURED:
        public.reverse()  # the nearest public package; the top one for libraries that move names
    elif root == "scipy":
        public.sort(key=lambda name: (name.count(".") != 1, name.count(".")))
    elif root == "pandas":
        public.append(f"pandas.tseries.{parts[-1]}")
    return [*public, module]


def _is_member(module: str, path: str, obj: Any, *, lasting: bool = False) -> bool:
    """Return whether the path leads to the same object; if `lasting`, not by a deprecated name."""
    try:
        scope = sys.modules.get(module) or importlib.import_module(module)
        with warnings.catch_warnings():
            warnings.simplefilter("error" if lasting else "ignore", DeprecationWarning)
            found = find_member(scope, path)
    except (ImportError, AttributeError, ValueError, DeprecationWarning):
        return False
    return found is obj or (found == obj and callable(obj) and getattr(obj, "__self__", None) is not None)


def _reason(module: str, path: str) -> str:
    """Return why a name does not lead to the object."""
    try:
        find_member(importlib.import_module(module), path)
    except ImportError:
        return f"its module {module} cannot be imported"
    except AttributeError:
        return f"{module} has no {path}"
    return f"{module}.{path} is not the same object"


def _search(obj: Any, path: str) -> str:
    """Return a module with an object that does not say where it is from."""
    owner = getattr(obj, "__self__", None)
    if isinstance(owner, ModuleType):
        return owner.__name__
    owner = getattr(obj, "__objclass__", None)
    if isinstance(owner, type):
        return owner.__module__
    if type(obj).__module__ == "numpy" or type(obj).__name__ == "ufunc":
        return "numpy"
    modules: list[tuple[str, Any]] = sorted(sys.modules.copy().items(), key=lambda item: item[0])
    for name, module in modules:
        if name != "__main__" and getattr(module, "__dict__", {}).get(path) is obj:
            return name
    raise UnnamedError("no module says where it is from")
