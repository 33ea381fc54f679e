"""What a function depends on, as far as it can be found without calling it.

Starting with the function, the search follows what decorators wrapped, its closure, its defaults, and the
globals that it names: functions and classes of its project in the same way, data by their content. What comes
from elsewhere (installed packages, the standard library) is taken by name. Attributes of functions, classes
of arguments, and modules that are passed on are followed if any function that was followed names them.
"""

import contextlib
import functools
import importlib
import inspect
import sys
import types
from collections import deque
from collections.abc import Iterable
from typing import Any

from holdall.memo._annotations import annotations_of, classes_in, spelled
from holdall.memo._encoder import is_found
from holdall.memo._home import Home, absolute, layers_of, plain_of, title_of
from holdall.memo._project import label_of
from holdall.memo._source import modules_in, names_in, said_by
from holdall.memo._watch import Watch

__all__ = ["Trail"]

# Attributes of classes that do not affect behaviour; in later versions of Python, their line numbers.
_MEMBERS_OF_ALL = frozenset(vars(type("", (), {}))) | {
    *("__annotations__", "__annotate__", "__annotate_func__"),
    *("__annotations_cache__", "__firstlineno__", "__static_attributes__"),
}
_BOUND = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
_BUILT_IN = (
    *(types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType),
    *(types.MethodDescriptorType, types.ClassMethodDescriptorType),
)
_ATOMS = frozenset({str, bytes, int, float, complex, bool, type(None)})
# What modules have from being imported, and functions from being wrapped.
_OF_MODULES = frozenset(vars(types.ModuleType(""))) | {"__file__", "__cached__", "__path__", "__builtins__"}
_OF_WRAPPERS = frozenset({*functools.WRAPPER_ASSIGNMENTS, "__wrapped__", "__dict__"})
_SHOWING_DOCS = frozenset({"__doc__", "getdoc"})


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
    unseen
        What was not followed, and why: what functions find by names that are made when they run, and things
        that raise errors when they are looked at.
    """

    def __init__(self, function: Any, owner: type | None = None, *, whole: bool = False) -> None:
        self.codes: list[tuple[str, Any]] = []
        self.values: dict[str, Any] = {}
        self.modules: dict[str, str] = {}
        self.closed: set[str] = set()
        self.enclosed: list[str] = []
        self.state: set[str] = set()
        self.unseen: dict[str, str] = {}
        self._watch = Watch()
        self._names: set[str] = set()  # in any function that was followed
        self._holders: dict[tuple[str, int], Any] = {}  # functions and the like, whose attributes may be used
        self._owners: dict[type, None] = {}  # classes of arguments
        self._passed: dict[int, types.ModuleType] = {}  # modules that are given to functions
        self._docs: dict[tuple[str, int], str | None] = {}
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
            while self._own or self._todo:
                own = bool(self._own)
                self._visit(self._own.pop() if own else self._todo.pop(), own)
            self._attributes()
        if not self._names.isdisjoint(_SHOWING_DOCS):
            for (title, number), text in self._docs.items():
                self._note(f"{title} doc", text, (number, ""))
        for title, (value, place) in self._data.items():
            if place in self._changes:
                self.state.add(title)
            else:
                self.values[title] = value
        self._watch.spare(self._changes)

    def changed(self) -> bool:
        """Return whether code or variables have changed since they were followed."""
        return self._watch.changed()

    # ------------------------------------------------------------------ following

    def _visit(self, thing: Any, own: bool) -> None:
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing  # kept, so that no other gets its number
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
        self._watch.code(function)
        self._docs[title, id(function)] = function.__doc__
        scope = function.__globals__
        inside = self._home.holds(scope)
        _, changes, imports, unnamed, passed = said_by(function.__code__, scope)
        names = names_in(function.__code__)
        self._names |= names
        if inside:
            for finder in unnamed:
                self.unseen[f"{title} {finder}"] = "it finds names that are made when it runs"
        free = function.__code__.co_freevars
        for name, cell in zip(free, function.__closure__ or (), strict=True):
            place = (id(cell), name)
            try:
                content = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self._changed(name, content, changes)
            if name in changes:
                self._changes.add(place)
            else:
                self._watch.cell(cell, content)
            self._pass(name, content, passed)
            self._refer(f"{title} {name}", content, place, names, closed=own)
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        for number, value in enumerate(defaults):
            self._pass("", value, None)
            self._refer(f"{title} default {number}", value, (id(function), str(number)), names)
        (self._own if own else self._todo).extend(layers_of(function))
        if not inside:
            return
        for name in names - scope.keys():  # may be defined later, and hide a builtin
            self._watch.variable(scope, name, (id(scope), name))
        for name in sorted(names & scope.keys()):
            place = (id(scope), name)
            self._changed(name, scope[name], changes)
            if name in changes:
                self._changes.add(place)
            self._watch.variable(scope, name, place)
            module = sys.modules.get(str(scope.get("__name__")))
            label = str(scope.get("__name__")) if module is None else label_of(module)
            self._pass(name, scope[name], passed)
            self._refer(f"{label}.{name}", scope[name], place, names)
        self._imported(function, imports, names, passed)
        if not self._whole:
            self._classes_of_arguments(function)

    def _changed(self, name: str, holder: Any, changes: Iterable[str]) -> None:
        """Note the attributes of what a variable holds that a function changes."""
        number = id(vars(holder)) if _is_module(holder) else id(holder)
        for change in changes:
            if change.startswith(f"{name}."):
                self._changes.add((number, change.partition(".")[2]))

    def _pass(self, name: str, value: Any, passed: Iterable[str] | None) -> None:
        """Note a module of which a function does more than look at attributes."""
        if _is_module(value) and (passed is None or name in passed):
            self._passed[id(value)] = value

    def _attributes(self) -> None:
        """Follow what any function names of functions, of classes of arguments, and of modules passed on."""
        for (title, _), holder in list(self._holders.items()):
            attributes = holder.__dict__
            ours = attributes.get("_parts") if hasattr(type(holder), "cache_info") else None
            hidden = _OF_WRAPPERS.union(ours if type(ours) is set else ())
            for name in sorted(self._names & attributes.keys() - hidden):
                place = (id(holder), name)
                if (title, place) not in self._seen:
                    self._seen[title, place] = holder
                    self._watch.variable(attributes, name, place)
                    self._refer(f"{title}.{name}", attributes[name], place, self._names)
        owners = list(self._owners)
        for owner in owners:
            self._members(owner)
            if self._home.holds_class(owner):  # the argument may be of a derived class
                derived = self._watch.derived(owner)
                owners += [cls for cls in derived if cls not in self._owners]
                self._owners.update(dict.fromkeys(derived))
        for module in list(self._passed.values()):
            self._module(module, self._names)

    def _hold(self, title: str, holder: Any) -> None:
        """Note something whose attributes may be used."""
        try:
            attributes = holder.__dict__
        except Exception:  # from a method of theirs
            return
        if attributes and isinstance(attributes, dict):
            self._holders[title, id(holder)] = holder

    def _note(self, title: str, value: Any, place: tuple[int, str]) -> None:
        """Note data, which may have the title of other data, as in two classes that a function made."""
        base, number = title, 1
        while self._data.get(title, (None, place))[1] != place:
            number += 1
            title = f"{base} ({number})"
        self._data[title] = (value, place)

    def _refer(
        self, title: str, value: Any, place: tuple[int, str], names: set[str], *, closed: bool = False
    ) -> None:
        """Note an object that a function names."""
        try:
            self._look_at(title, value, place, names, closed=closed)
        except Exception:  # of a method of theirs, as of a proxy that stands for nothing now
            self._note(title, value, place)
            if closed:
                self.closed.add(title)

    def _look_at(
        self, title: str, value: Any, place: tuple[int, str], names: set[str], *, closed: bool
    ) -> None:
        plain = plain_of(value)
        if callable(value) and not isinstance(value, type):
            self._hold(title, value)
        owner = getattr(value, "__self__", None) if isinstance(value, _BOUND) else None
        if not isinstance(owner, type | types.ModuleType | None):
            self._refer(f"{title} self", owner, place, names, closed=closed)
        called = None if self._whole else self._called_outside(plain)
        if self._whole:
            self._name(title, plain, place)
            if isinstance(owner, type):
                self._name(f"{title} self", owner, place)
        elif called is not None:  # another one may take its name
            self._note(f"{title} is", called, place)
        if isinstance(plain, property):
            for name in ("fget", "fset", "fdel"):
                if (part := getattr(plain, name)) is not None:
                    self._refer(f"{title} {name}", part, place, names)
        elif isinstance(plain, functools.cached_property):
            self._refer(f"{title} func", plain.func, place, names)
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
        elif called is None and not isinstance(plain, _BUILT_IN):
            self._note(title, value, place)
            if closed:
                self.closed.add(title)
            self._todo.append(type(plain))
            if not self._whole:
                try:
                    self._inside(title, plain)
                except Exception as error:  # as above
                    self.unseen[f"{title} content"] = f"looking at it raises {error!r}"
            elif self._home.holds_class(type(plain)):
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
        if isinstance(plain, _BUILT_IN):
            return title_of(plain)
        module = sys.modules.get(getattr(plain, "__module__", None) or "")
        if module is None or self._home.holds(vars(module)) or not callable(plain):
            return None
        named = isinstance(getattr(plain, "__qualname__", None), str) and is_found(plain)
        return title_of(plain) if named else None

    def _name(self, title: str, plain: Any, place: tuple[int, str]) -> None:
        """Note what a class, a module, or a function from elsewhere is called, or else what it is."""
        if isinstance(plain, type):
            self._note(f"{title} is", plain, place)
        elif isinstance(plain, types.ModuleType):
            self._note(f"{title} is", label_of(plain), place)
        elif callable(plain) and isinstance(getattr(plain, "__qualname__", None), str):
            followed = isinstance(plain, types.FunctionType) and self._follows(plain)
            by_name = followed or (hasattr(plain, "__module__") and is_found(plain))
            self._note(f"{title} is", title_of(plain) if by_name else plain, place)

    def _follows(self, function: types.FunctionType) -> bool:
        """Return whether the code of a function counts, and not only its name."""
        inside = self._home.holds(function.__globals__)
        made = function.__closure__ or hasattr(function, "__wrapped__") or not is_found(function)
        return bool(inside or made)

    def _inside(self, title: str, value: Any) -> None:
        """Follow the functions, classes and modules in data, and the classes of objects there."""
        todo: list[Any] = [value]
        seen: set[int] = set()
        while todo:
            item = todo.pop()
            if type(item) in _ATOMS or id(item) in seen:
                continue
            seen.add(id(item))
            ours = self._home.holds_class(type(item))
            if ours:
                self._todo.append(type(item))
            if ours or isinstance(item, types.SimpleNamespace):
                todo += _parts_of(item)
            if isinstance(item, types.ModuleType):
                self._pass("", item, None)
            elif isinstance(item, type):
                self._todo.append(item)
            elif isinstance(item, dict | types.MappingProxyType):
                todo += [*item.keys(), *item.values()]
            elif isinstance(item, list | tuple | set | frozenset | deque):
                todo += item
            elif isinstance(item := plain_of(item), types.FunctionType):
                if self._follows(item):
                    self._todo.append(item)
                    self._hold(f"{title} {title_of(item)}", item)
            else:
                parts = getattr(item, "__args__", None)  # of a generic class
                todo += parts if isinstance(parts, tuple) else ()
                todo += list(layers_of(item))[1:]

    def _module(self, module: types.ModuleType, names: set[str]) -> None:
        scope = vars(module)
        if not self._home.holds(scope) or (key := (id(module), *sorted(names))) in self._seen:
            return
        self._seen[key] = module
        label = label_of(module)
        self._docs[label, id(module)] = module.__doc__
        self._todo.append(type(module))
        for name in sorted((names | {"__getattr__"}) & scope.keys() - _OF_MODULES):
            self._watch.variable(scope, name, (id(scope), name))
            self._refer(f"{label}.{name}", scope[name], (id(scope), name), names)

    def _class(self, cls: type) -> None:
        if not self._home.holds_class(cls):
            return
        title = title_of(cls)
        self._todo += [type(cls), *cls.__bases__]
        bases = tuple(title_of(base) for base in cls.__bases__)
        self._note(f"{title} bases", bases, (id(cls), ""))
        self._docs[title, id(cls)] = cls.__doc__
        for name, field in vars(cls).get("__dataclass_fields__", {}).items():
            if field.metadata:
                self._note(f"{title} metadata of {name}", dict(field.metadata), (id(cls), ""))
        annotations = {name: spelled(annotation) for name, annotation in annotations_of(cls).items()}
        if annotations:
            self._note(f"{title} annotations", annotations, (id(cls), ""))
        for name, value in sorted(vars(cls).items()):
            if name in _MEMBERS_OF_ALL or name.startswith(("__dataclass_", "_abc_")):
                continue
            if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                continue
            self._refer(f"{title}.{name}", value, (id(cls), name), set())

    def _classes_of_arguments(self, function: types.FunctionType) -> None:
        """Note the classes of a function's arguments: the one that it is a method of, and annotated ones."""
        owner: Any = self._owner
        if owner is None or function.__qualname__.rpartition(".")[0] != owner.__qualname__:
            owner = sys.modules.get(function.__module__)
            for part in function.__qualname__.split(".")[:-1]:
                owner = getattr(owner, part, None)
        if isinstance(owner, type):
            self._owners[owner] = None
        for annotation in annotations_of(function).values():
            self._owners.update(dict.fromkeys(classes_in(annotation, function.__globals__)))

    def _members(self, owner: type) -> None:
        """Follow what may be used of a class of arguments: special methods, and what any function names."""
        for base in (*inspect.getmro(owner), *inspect.getmro(type(owner))):
            if not self._home.holds_class(base):
                continue
            self._docs[title_of(base), id(base)] = base.__doc__
            members = vars(base)
            for name in sorted(members.keys() - _MEMBERS_OF_ALL):
                value, place = members[name], (id(base), name)
                special = name.startswith("__") and isinstance(plain_of(value), types.FunctionType)
                if (special or name in self._names) and place not in self._seen:
                    self._seen[place] = base
                    if not isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                        self._refer(f"{title_of(base)}.{name}", value, place, self._names)

    def _imported(
        self,
        function: types.FunctionType,
        imports: Iterable[tuple[str, int]],
        names: set[str],
        passed: Iterable[str] | None,
    ) -> None:
        """Follow the modules of the project that a function imports when it runs, importing them now."""
        scope = function.__globals__
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
            self._pass(name, module, passed)
            self._module(module, names)
        by_text = {absolute(name, level, package) for name, level in modules_in(function.__code__)}
        if "modules" in names:
            by_text.add(str(scope.get("__name__")))
        for name in sorted(by_text):
            if (found := sys.modules.get(name)) is not None:
                self._pass(name, found, None)
            elif (path := self._home.find(name)) is not None:  # not imported: it may be text of another sort
                self.modules[name] = path


def _is_module(value: Any) -> bool:
    return issubclass(type(value), types.ModuleType)  # a proxy may raise at isinstance()


def _parts_of(item: Any) -> list[Any]:
    """Return the values of an object's attributes, in its dict or in slots."""
    parts = list(vars(item).values()) if hasattr(item, "__dict__") else []
    for base in type(item).__mro__:
        for slot in vars(base).values():
            if isinstance(slot, types.MemberDescriptorType):
                with contextlib.suppress(AttributeError):  # not set
                    parts.append(slot.__get__(item))
    return parts
