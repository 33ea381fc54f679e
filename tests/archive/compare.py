"""Tells whether two graphs of objects are the same: values, types, attributes, and what is shared."""

import functools
import types


def difference(a, b):
    """Return where two graphs differ, or None."""
    pairs = {}
    back = {}
    todo = [("x", a, b)]
    while todo:
        path, a, b = todo.pop()
        if type(a) is not type(b):
            return f"{path}: {type(a)} is not {type(b)}"
        if id(a) in pairs:
            if pairs[id(a)][1] is not b and not constant(a):
                return f"{path}: shared in one, not in the other"
            continue
        if id(b) in back and not constant(b) and back[id(b)][1] is not a:
            return f"{path}: not shared in one, but in the other"
        pairs[id(a)] = (a, b)
        back[id(b)] = (b, a)
        parts = split(a), split(b)
        if len(parts[0]) != len(parts[1]):
            return f"{path}: {len(parts[0])} parts, not {len(parts[1])}: {a!r:.100} {b!r:.100}"
        for (key, x), (other, y) in zip(*parts, strict=True):
            if key != other:
                return f"{path}: {key!r} is not {other!r}"
            todo.append((f"{path}.{key}"[-200:], x, y))
        if not parts[0] and not same_leaf(a, b):
            return f"{path}: {a!r:.200} is not {b!r:.200}"
    return None


CONSTANT = (
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    type(...),
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
)


def constant(value):
    """Immutable values may be one object or several."""
    return (
        type(value) in CONSTANT
        or (type(value) is tuple and all(map(constant, value)))
        or value in ((), frozenset())
    )


def same_leaf(a, b):
    if type(a) in {float, complex}:
        return repr(a) == repr(b)
    if isinstance(a, (types.FunctionType, types.ModuleType, type)) or type(a).__module__ == "typing":
        return a is b
    if isinstance(a, types.MethodWrapperType | types.BuiltinMethodType):
        return a.__name__ == b.__name__ and (a.__self__ is b.__self__ or a.__self__ == b.__self__)
    if type(a).__eq__ is object.__eq__ and type(a).__module__ != "builtins":
        return attributes(a) == attributes(b) or (repr(a) == repr(b) and "0x" not in repr(a))
    return a == b or a is b


def attributes(value):
    found = dict(getattr(value, "__dict__", None) or {})
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name in {"__dict__", "__weakref__"}:
                continue
            mangled = (
                f"_{cls.__name__.lstrip('_')}{name}"
                if name.startswith("__") and not name.endswith("__")
                else name
            )
            try:
                found[mangled] = cls.__dict__[mangled].__get__(value)
            except (AttributeError, KeyError):
                pass
    return found


def split(value):
    """Return the parts of a value, with what they are called."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in {"numpy", "scipy", "pandas", "ml_dtypes", "uncertainties"}:
        from archive import compare_arrays

        return compare_arrays.split(value)
    if isinstance(value, types.ModuleType | type) or kind in CONSTANT:
        return []
    parts = []
    if isinstance(value, dict) or kind.__name__ == "mappingproxy":
        items = list(value.items())
        for index, (key, item) in enumerate(items):
            parts += [(f"key{index}", key), (f"[{key!r:.40}]" if type(key) is str else f"value{index}", item)]
        if kind.__name__ == "defaultdict":
            parts.append(("factory", value.default_factory))
    elif isinstance(value, list | tuple) or kind.__name__ == "deque":
        parts += [(f"[{index}]", item) for index, item in enumerate(value)]
        parts += [("maxlen", value.maxlen)] if kind.__name__ == "deque" else []
    elif isinstance(value, set | frozenset):
        parts += [
            ("item", item) for item in sorted(value, key=lambda item: (type(item).__name__, order(item)))
        ]
    elif isinstance(value, functools.partial):
        parts += [("func", value.func), ("args", value.args), ("keywords", value.keywords)]
    elif isinstance(value, types.MethodType):
        parts += [("self", value.__self__), ("name", value.__func__.__name__)]
    elif isinstance(value, BaseException):
        parts += [
            (name, getattr(value, name))
            for name in ("args", "__cause__", "__context__", "__suppress_context__")
        ]
        parts += [
            (name, getattr(value, name))
            for name in ("errno", "filename", "code", "value", "name", "path", "start", "lineno", "place")
            if hasattr(value, name)
        ]
    if kind.__module__ not in {
        "collections",
        "builtins",
        "re",
        "operator",
        "fractions",
        "decimal",
        "uuid",
        "pathlib",
        "pathlib._local",
        "datetime",
        "enum",
        "types",
        "functools",
        "zoneinfo",
        "typing",
    }:
        import enum

        if not isinstance(value, enum.Enum):
            parts += [(f".{name}", item) for name, item in sorted(attributes(value).items())]
    elif kind.__name__ in {"ChainMap", "UserDict", "UserList", "SimpleNamespace"} or (
        isinstance(value, BaseException) and not callable(value)
    ):
        parts += [(f".{name}", item) for name, item in sorted(vars(value).items())]
    return parts


def order(item):
    if hasattr(item, "name"):
        return str(item.name)
    return str(item) if type(item) in CONSTANT else repr(item) if "0x" not in repr(item) else ""
