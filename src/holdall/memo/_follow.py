"""What a function depends on, as far as it can be found without calling it.

Starting with the function, the search follows what decorators wrapped, its closure, its defaults, and the
globals that it names: functions and classes of its project in the same way, data by their content. What comes
from elsewhere (installed packages, the standard library) is taken by name.
"""

import functools
import importlib
import sys
import types
from collections.abc import Iterable
from typing import Any

from holdall.memo._encoder import is_found
from holdall.memo._home import Home, absolute, layers_of, plain_of, title_of
from holdall.memo._project import label_of
from holdall.memo._source import codes_in, said_by

__all__ = ["Trail"]

# Attributes of classes that do not affect behaviour; in later versions of Python, their line numbers.
_MEMBERS_OF_ALL = frozenset(vars(type("", (), {}))) | {
    *("__slots__", "__match_args__", "__annotations__", "__annotate__", "__annotate_func__"),
    *("__annotations_cache__", "__firstlineno__", "__static_attributes__"),
}
_BOUND = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
_ABSENT: Any = object()


class Trail:
    """Everything that a function depends on.

    Parameters
    ----------
    function
        The function.
    owner
        The class that it is a method of; None if unknown.
    whole
        Whether classes and what comes from elsewhere are noted too, among the values, with their names.

    Attributes
    ----------
    codes
        The functions that were followed, by title; several may have one title.
    values
        Data by title: nonlocal variables, defaults, globals, attributes of classes.
    modules
        Files, by name, of modules that a function imports when it runs, and that cannot be imported now.
    closed
        Titles of the values that are nonlocal variables.
    enclosed
        Titles of the functions and classes that are nonlocal variables.
    state
        Titles of variables that the functions change themselves.
    """

    def __init__(self, function: Any, owner: type | None = None, *, whole: bool = False) -> None:
        self.codes: list[tuple[str, Any]] = []
        self.values: dict[str, Any] = {}
        self.modules: dict[str, str] = {}
        self.closed: set[str] = set()
        self.enclosed: list[str] = []
        self.state: set[str] = set()
        self._watched: list[tuple[dict[str, Any], str, Any]] = []
        self._cells: list[tuple[types.CellType, Any]] = []
        self._seen: dict[Any, Any] = {}
        self._changes: set[tuple[int, str]] = set()
        self._data: dict[str, tuple[Any, tuple[int, str]]] = {}
        self._titles: dict[str, int] = {}
        self._todo: list[Any] = []
        self._home = Home(function)
        self._owner = owner
        self._whole = whole
        self._own = list(layers_of(function))  # these and their closures, before what they name
        while self._own or self._todo:
            own = bool(self._own)
            self._visit(self._own.pop() if own else self._todo.pop(), own)
        for title, (value, place) in self._data.items():
            if place in self._changes:
                self.state.add(title)
            else:
                self.values[title] = value

    def changed(self) -> bool:
        """Return whether code or variables have changed since they were followed."""
        for _, function in self.codes:
            if self._seen[id(function)][1] is not function.__code__:
                return True
        for scope, name, value in self._watched:
            if scope.get(name, _ABSENT) is not value:
                return True
        for cell, value in self._cells:
            try:
                if cell.cell_contents is not value:
                    return True
            except ValueError:  # deleted since
                return True
        return False

    # ------------------------------------------------------------------ following

    def _visit(self, thing: Any, own: bool) -> None:
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = (thing, getattr(thing, "__code__", None))
        if isinstance(thing, types.FunctionType):
            self._function(thing, own)
        elif isinstance(thing, type) and not self._whole:  # else it is a value
            self._class(thing)

    def _function(self, function: types.FunctionType, own: bool) -> None:
        title = title_of(function)
        same = self._titles[title] = self._titles.get(title, 0) + 1
        if same > 1:  # one decorator used twice, or a name from functools.wraps
            title = f"{title} ({same})"
        self.codes.append((title, function))
        scope = function.__globals__
        inside = self._home.holds(scope)
        changes = said_by(function.__code__, scope).changes
        names = {name for code in codes_in(function.__code__) for name in code.co_names}
        # Not the one of `from . import a`, and those of assertions that pytest has rewritten.
        names = {name for name in names if name and name[0] != "@"}
        free = function.__code__.co_freevars
        for name, cell in zip(free, function.__closure__ or (), strict=True):
            place = (id(cell), name)
            try:
                content = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            if name in changes:
                self._changes.add(place)
            else:
                self._cells.append((cell, content))
            self._refer(f"{title} {name}", content, place, names, closed=own)
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        for number, value in enumerate(defaults):
            self._refer(f"{title} default {number}", value, (id(function), str(number)), names)
        (self._own if own else self._todo).extend(layers_of(function))
        if not inside:
            return
        for name in names - scope.keys():  # may be defined later, and hide a builtin
            self._watched.append((scope, name, _ABSENT))
        for name in sorted(names & scope.keys()):
            place = (id(scope), name)
            if name in changes:
                self._changes.add(place)
            else:
                self._watched.append((scope, name, scope[name]))
            module = sys.modules.get(str(scope.get("__name__")))
            label = str(scope.get("__name__")) if module is None else label_of(module)
            self._refer(f"{label}.{name}", scope[name], place, names)
        self._imported(scope, said_by(function.__code__, scope).imports, names)
        if not self._whole:
            self._methods(function, names)

    def _refer(
        self, title: str, value: Any, place: tuple[int, str], names: set[str], *, closed: bool = False
    ) -> None:
        """Note an object that a function names."""
        plain = plain_of(value)
        owner = getattr(value, "__self__", None) if isinstance(value, _BOUND) else None
        if not isinstance(owner, type | types.ModuleType | None):
            self._refer(f"{title} self", owner, place, names, closed=closed)
        if self._whole:
            self._name(title, plain, place)
            if isinstance(owner, type):
                self._name(f"{title} self", owner, place)
        elif (called := self._called_outside(plain)) is not None:  # another one may take its name
            self._data[f"{title} is"] = (called, place)
        if isinstance(plain, property):
            self._todo += [part for part in (plain.fget, plain.fset, plain.fdel) if part is not None]
        elif isinstance(plain, functools.cached_property):
            self._todo.append(plain.func)
        elif isinstance(plain, functools.partial | functools.partialmethod):
            self._refer(f"{title} partial", plain.func, place, names, closed=closed)
            self._refer(f"{title} arguments", (plain.args, plain.keywords), place, names, closed=closed)
        elif isinstance(plain, types.FunctionType):
            if closed:
                self.enclosed.append(title_of(plain))
            if self._follows(plain):
                (self._own if closed else self._todo).append(plain)
        elif isinstance(plain, type):
            if closed:
                self.enclosed.append(title_of(plain))
            self._todo.append(plain)
        elif isinstance(plain, types.ModuleType):
            self._module(plain, names)
        elif not callable(plain) or not isinstance(getattr(plain, "__name__", None), str):
            self._data[title] = (value, place)
            if closed:
                self.closed.add(title)
            self._todo.append(type(plain))
            if self._whole and self._home.holds_class(type(plain)):
                self._name(f"{title} type", type(plain), place)
        elif closed:
            self.enclosed.append(title_of(plain))

    def _called_outside(self, plain: Any) -> str | None:
        """Return what a module, class or function is called that is not followed; None for all else."""
        if isinstance(plain, types.ModuleType):
            return None if self._home.holds(vars(plain)) else label_of(plain)
        if isinstance(plain, type):
            return None if self._home.holds_class(plain) else title_of(plain)
        if isinstance(plain, types.FunctionType):
            return None if self._follows(plain) else title_of(plain)
        named = isinstance(plain, types.BuiltinFunctionType) and isinstance(plain.__module__, str)
        return title_of(plain) if named else None

    def _name(self, title: str, plain: Any, place: tuple[int, str]) -> None:
        """Note what a class, a module, or a function from elsewhere is called, or else what it is."""
        if isinstance(plain, type):
            self._data[f"{title} is"] = (plain, place)
        elif isinstance(plain, types.ModuleType):
            self._data[f"{title} is"] = (label_of(plain), place)
        elif callable(plain) and isinstance(getattr(plain, "__qualname__", None), str):
            followed = isinstance(plain, types.FunctionType) and self._follows(plain)
            by_name = followed or (hasattr(plain, "__module__") and is_found(plain))
            self._data[f"{title} is"] = (title_of(plain) if by_name else plain, place)

    def _follows(self, function: types.FunctionType) -> bool:
        """Return whether the code of a function counts, and not only its name."""
        inside = self._home.holds(function.__globals__)
        return bool(inside or function.__closure__ or hasattr(function, "__wrapped__"))

    def _module(self, module: types.ModuleType, names: set[str]) -> None:
        scope = vars(module)
        if not self._home.holds(scope) or (key := (id(module), *sorted(names))) in self._seen:
            return
        self._seen[key] = module
        for name in sorted(names & scope.keys()):
            if not name.startswith("__"):
                self._watched.append((scope, name, scope[name]))
                self._refer(f"{label_of(module)}.{name}", scope[name], (id(scope), name), names)

    def _class(self, cls: type) -> None:
        if not self._home.holds_class(cls):
            return
        title = title_of(cls)
        self._todo += [type(cls), *cls.__bases__]
        bases = tuple(title_of(base) for base in cls.__bases__)
        self._data[f"{title} bases"] = (bases, (id(cls), ""))
        for name, value in sorted(vars(cls).items()):
            if name in _MEMBERS_OF_ALL or name.startswith(("__dataclass_", "_abc_")):
                continue
            if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                continue
            self._refer(f"{title}.{name}", value, (id(cls), name), set())

    def _methods(self, function: types.FunctionType, names: set[str]) -> None:
        """Follow the names of its class that a method may use: other methods, and attributes."""
        owner: Any = self._owner
        if owner is None or function.__qualname__.rpartition(".")[0] != owner.__qualname__:
            owner = sys.modules.get(function.__module__)
            for part in function.__qualname__.split(".")[:-1]:
                owner = getattr(owner, part, None)
        if not isinstance(owner, type):
            return
        for base in owner.__mro__:
            if not self._home.holds_class(base):
                continue
            for name in sorted(names & vars(base).keys() - _MEMBERS_OF_ALL):
                value = vars(base)[name]
                if not isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                    self._refer(f"{title_of(base)}.{name}", value, (id(base), name), names)

    def _imported(self, scope: dict[str, Any], imports: Iterable[tuple[str, int]], names: set[str]) -> None:
        """Follow the modules of the project that a function imports when it runs, importing them now."""
        package = str(scope.get("__package__") or "")
        for name in sorted({absolute(name, level, package) for name, level in imports}):
            path = self._home.find(name)
            if path is None:
                continue
            try:
                module = importlib.import_module(name)
            except Exception:  # the function may handle that
                self.modules[name] = path
                continue
            self._module(module, names)
