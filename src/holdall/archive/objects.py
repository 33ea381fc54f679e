"""How each object is made again: containers, names, hooks, and the reduction that pickle uses."""

import contextlib
import copyreg
import inspect
import sys
import warnings
from enum import Enum
from pickle import PicklingError
from types import BuiltinMethodType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from holdall._shown import shown
from holdall.archive.basics import (
    describe_dict,
    describe_leaf,
    describe_list,
    describe_member,
    describe_method,
    describe_module,
    describe_named,
    describe_set,
    describe_tuple,
)
from holdall.archive.graph import PLAIN, Fill, Graph, Node
from holdall.archive.references import Reference, UnnamedError, public_name
from holdall.archive.values import EXACT

__all__ = ["Describer"]

_BY_NAME = (type, FunctionType)
_MEMBER_KINDS = frozenset({str, int, bool, float, type(None)})


class Describer:
    """Describe objects in nodes: `graph.walk` calls it for each object.

    Parameters
    ----------
    env
        Names that `get_persistent_rep` hooks may use.
    threshold
        Arrays with more elements are external.
    data_format
        The format of external arrays: ``npy``, ``npz`` or ``hdf5``.
    """

    def __init__(
        self, env: dict[str, Any], threshold: float = float("inf"), data_format: str = "npy"
    ) -> None:
        self.env = env
        self.threshold = threshold
        self.data_format = data_format
        self.arrays: list[Node] = []
        self._constants: dict[str, dict[int, str]] = {}
        self._routes = {
            list: describe_list,
            tuple: describe_tuple,
            set: describe_set,
            frozenset: describe_set,
            dict: describe_dict,
            str: describe_leaf,
            bytes: describe_leaf,
            int: describe_leaf,
            float: describe_leaf,
            MethodType: describe_method,
            BuiltinMethodType: describe_method,
            ModuleType: describe_module,
        }

    def __call__(self, graph: Graph, node: Node) -> None:
        """Set how the object of a node is made."""
        obj = node.obj
        cls = type(obj)
        route = self._routes.get(cls)
        if route is None:
            route = self._route(cls, obj)
        try:
            if route is None:
                self._by_hook(graph, node)
            else:
                route(graph, node)
        except UnnamedError as error:
            raise graph.refuse(node, str(error)) from error

    def finish(self, graph: Graph) -> None:
        """Describe arrays, when all are known, as some may share memory."""
        if self.arrays:
            from holdall.archive import arrays  # noqa: PLC0415

            arrays.finish(self, graph)

    def _route(self, cls: type, obj: Any) -> Any:
        """Return the function that describes objects of a class, or None if it depends on the object."""
        if isinstance(obj, BuiltinMethodType):  # from Python 3.12 on some are of a subclass
            return describe_method
        if isinstance(obj, _BY_NAME):
            return describe_named
        if hasattr(cls, "get_persistent_rep") or hasattr(cls, "archive_1"):
            return None
        route: Any = EXACT.get(cls)
        if route is None:
            if issubclass(cls, Enum):
                route = describe_member
            elif issubclass(cls, BaseException):
                route = self._exception
            else:
                route = self._foreign(cls) or self._reduced
        self._routes[cls] = route
        return route

    def _foreign(self, cls: type) -> Any:
        """Return the function that describes arrays of numpy or frames of pandas, if it is one of theirs."""
        for base in cls.__mro__:
            root = _root(base)
            if root in {"numpy", "ml_dtypes"}:
                from holdall.archive import arrays  # noqa: PLC0415  (numpy is already imported)

                return arrays.route(cls, self.arrays)
            if root == "pandas":
                from holdall.archive import frames  # noqa: PLC0415

                return frames.route(cls, self._reduced)
            if root == "scipy":
                from holdall.archive import frames  # noqa: PLC0415

                return frames.sparse_route(cls)
        return None

    # ------------------------------------------------------------------ hooks

    def _by_hook(self, graph: Graph, node: Node) -> None:
        """Call `get_persistent_rep`, or the older `archive_1`; continue without if it takes no `env`."""
        from holdall.archive.hooks import describe_rep  # noqa: PLC0415  (few archives need it)

        obj = node.obj
        for hook in ("get_persistent_rep", "archive_1"):
            method = getattr(obj, hook, None)
            if method is None:
                continue
            if hook == "archive_1":
                warnings.warn(
                    "archive_1 is deprecated: use get_persistent_rep", DeprecationWarning, stacklevel=2
                )
            try:
                inspect.signature(method).bind(self.env)
            except TypeError as error:
                warnings.warn(f"Found {hook}() but got TypeError: {error}", UserWarning, stacklevel=2)
                continue
            except ValueError:  # no signature
                pass
            return describe_rep(graph, node, method(self.env))
        return self._reduced(graph, node)

    # ------------------------------------------------------------------ what pickle would do

    def _reduced(self, graph: Graph, node: Node) -> None:
        """Describe an object by `copyreg.dispatch_table` or `__reduce_ex__`."""
        obj, cls = node.obj, type(node.obj)
        try:
            reduced = _reduction(obj, cls)
        except (TypeError, NotImplementedError, PicklingError) as error:  # how classes refuse
            raise graph.refuse(node, _short(str(error))) from error
        except Exception as error:
            error.add_note(f"while archiving {node.path}")
            raise
        if isinstance(reduced, str):
            node.kind, node.extra = "ref", public_name(obj, _module_of(obj, cls), reduced)
            return
        function, arguments, state, items, pairs, setter = reduced
        constant = self._constant(obj, cls, arguments, state, items or pairs)
        if constant is not None:
            node.kind, node.extra = "ref", Reference(*constant)
            return
        graph.keep((function, arguments, state, items, pairs))
        self._creation(graph, node, function, arguments)
        fills: list[Fill] = []
        if items:
            fills.append(Fill("extend", graph.items(items, node)))
        if pairs:
            slot = graph.slot
            flat: list[Any] = []
            for key, value in pairs:
                flat += (slot(key, node, ("key", None)), slot(value, node, ("item", key)))
            fills.append(Fill("items", flat, pairs=True))
        if state is not None:
            if setter is not None:
                fills.append(
                    Fill(
                        "set by",
                        [self._state(graph, node, state)],
                        function=graph.slot(setter, node, ("", "")),
                    )
                )
            elif hasattr(cls, "__setstate__"):
                fills.append(Fill("setstate", [self._state(graph, node, state)]))
            else:
                fills += self._attributes(graph, node, state)
        else:
            fills += self._attributes(graph, node, graph.keep(_left_out(obj, cls)))
        node.fills = tuple(fills)

    def _creation(self, graph: Graph, node: Node, function: Any, arguments: tuple[Any, ...]) -> None:
        """Describe the call that makes an object."""
        name = getattr(function, "__name__", "")
        if name == "__newobj__" and len(arguments) == 1 and arguments[0] is object:
            name = ""
        node.kind = "call"
        node.extra = {"__newobj__": "_new", "__newobj_ex__": "_new_ex"}.get(name)
        if node.extra is None:
            node.function = graph.slot(function, node, ("", ""))
        slot = graph.slot
        node.slots = [slot(value, node, ("", "")) for value in arguments]

    def _state(self, graph: Graph, node: Node, state: Any) -> Any:
        """Return the slot of a state that is passed as a whole."""
        return graph.slot(state, node, ("", "__getstate__()"))

    def _attributes(self, graph: Graph, node: Node, state: Any) -> list[Fill]:
        """Describe a state that is stored in ``__dict__`` and slots."""
        slots = None
        if isinstance(state, tuple) and len(state) == 2:
            state, slots = state
        fills = []
        for how, values in (("fill", state), ("slots", slots)):
            if values:
                if not isinstance(values, dict):
                    raise graph.refuse(
                        node, f"its state is {type(values).__name__}, and it has no __setstate__"
                    )
                fills.append(Fill(how, graph.pairs(values, node, "attribute"), pairs=True))
        return fills

    def _constant(
        self, obj: Any, cls: type, arguments: Any, state: Any, content: Any
    ) -> tuple[str, str] | None:
        """Return where a sentinel is defined: a constant attribute of the module of its class.

        This applies to objects without state, and to those that differ only in identity, contain only plain
        values and have the name of a constant, as a module may contain other instances that change.
        """
        name = cls.__module__
        names = self._constants.get(name)
        if names is None:
            found = vars(sys.modules[name]) if name in sys.modules and name != "__main__" else {}
            names = {id(value): key for key, value in list(found.items()) if type(value) not in PLAIN}
            self._constants[name] = names
        key = names.get(id(obj))
        if key is None or content or not isinstance(arguments, tuple) or arguments[1:]:
            return None
        told_by_identity = getattr(cls, "__eq__", None) is object.__eq__
        if state and not (told_by_identity and key == key.upper() and _holds_plain(state)):
            return None
        try:
            return public_name(obj, name, key)
        except UnnamedError:
            return None

    # ------------------------------------------------------------------ exceptions

    def _exception(self, graph: Graph, node: Node) -> None:
        """Describe an exception: args and attributes, without running its own ``__init__``."""
        obj, cls = node.obj, type(node.obj)
        own = any(
            hook in vars(base)
            for base in cls.__mro__
            if base.__module__ != "builtins"
            for hook in ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__")
        )
        if own or copyreg.dispatch_table.get(cls):
            self._reduced(graph, node)
        else:
            reduced = obj.__reduce_ex__(4)
            graph.keep(reduced)
            plain = cls.__module__ == "builtins" or not isinstance(cls.__init__, FunctionType)
            slot = graph.slot
            node.kind = "call"
            if plain and not isinstance(cls.__new__, FunctionType):
                node.function = slot(cls, node, ("", ""))
                node.slots = [
                    slot(value, node, ("attribute", f"args[{i}]")) for i, value in enumerate(reduced[1])
                ]
            else:
                node.extra = "_error"
                node.slots = [slot(cls, node, ("", "")), slot(reduced[1], node, ("attribute", "args"))]
            node.fills = self._of_exception(graph, node, *reduced[1:])
        links = (obj.__cause__, obj.__context__, obj.__suppress_context__)
        if any(links):
            names = ("__cause__", "__context__", "__suppress_context__")
            slots = [
                graph.slot(value, node, ("attribute", name)) for name, value in zip(names, links, strict=True)
            ]
            node.fills = (*node.fills, Fill("chain", slots))

    def _of_exception(
        self, graph: Graph, node: Node, arguments: tuple[Any, ...], state: Any = None
    ) -> tuple[Fill, ...]:
        """Describe the attributes of an exception: those of the interpreter, and those of its class."""
        obj, cls = node.obj, type(node.obj)
        values = dict(state or {})
        if values.get("args") is obj.args:  # AttributeError adds them since Python 3.12
            del values["args"]
        attributes = object.__getstate__(obj)
        if isinstance(attributes, tuple):
            values |= attributes[1]
        values |= _differing(obj, arguments)
        graph.keep(values)
        members = {name for name in values if type(getattr(cls, name, None)) is MemberDescriptorType}
        fills = []
        for how, names in (("fill", values.keys() - members), ("slots", members)):
            if names:
                part = graph.keep({name: value for name, value in values.items() if name in names})
                fills.append(Fill(how, graph.pairs(part, node, "attribute"), pairs=True))
        return tuple(fills)


def _holds_plain(state: Any) -> bool:
    """Return whether a state consists of attributes with plain values only."""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    return all(
        part is None or (isinstance(part, dict) and {type(value) for value in part.values()} <= _MEMBER_KINDS)
        for part in parts
    )


def _reduction(obj: Any, cls: type) -> Any:
    """Return the name or the six parts that an object is reduced to, as lists where pickle iterates.

    Raises
    ------
    TypeError
        If it cannot be reduced, or pickle would refuse the result.
    """
    reducer = copyreg.dispatch_table.get(cls)
    reduced = reducer(obj) if reducer is not None else obj.__reduce_ex__(4)
    if isinstance(reduced, str):
        return reduced
    if not isinstance(reduced, tuple) or not 2 <= len(reduced) <= 6:
        raise TypeError(f"__reduce_ex__ returned {type(reduced).__name__}, not a tuple of 2 to 6")
    parts: list[Any] = [*reduced, *[None] * (6 - len(reduced))]
    function, arguments, state, items, pairs, setter = parts
    if not callable(function) or not isinstance(arguments, tuple):
        raise TypeError("__reduce_ex__ returned no function with a tuple of arguments")
    if getattr(function, "__name__", "") in {"__newobj__", "__newobj_ex__"}:
        made = arguments[0] if arguments else None
        if made is not obj.__class__:  # `super` passes on the reduction of another object
            raise TypeError(f"__reduce_ex__ makes {shown(made)}, of another class")
    return (
        function,
        arguments,
        state,
        None if items is None else list(items),
        None if pairs is None else [(key, value) for key, value in pairs],
        setter,
    )


def _left_out(obj: Any, cls: type) -> tuple[Any, Any]:
    """Return attributes and slots that a class adds to one of Python whose reduction leaves them out."""
    owner = next(base for base in cls.__mro__ if {"__reduce__", "__reduce_ex__"} & vars(base).keys())
    if (
        owner is object
        or _root(cls) in sys.stdlib_module_names
        or _root(owner) not in sys.stdlib_module_names
    ):
        return None, None
    found = object.__getstate__(obj)
    values, slots = found if isinstance(found, tuple) else (found, {})
    own = {name for base in cls.__mro__ if base not in owner.__mro__ for name in vars(base)}
    return values, {name: value for name, value in slots.items() if name in own}


def _differing(error: BaseException, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Return the attributes of the interpreter that an exception did not get from its arguments."""
    found: dict[str, Any] = {}
    base = next(base for base in type(error).__mro__ if base.__module__ == "builtins")
    with contextlib.suppress(Exception):  # told when the statements are tried
        made = base(*arguments)
        for cls in base.__mro__:
            for name, member in vars(cls).items() if cls is not BaseExceptionGroup else ():
                if type(member) is MemberDescriptorType and not name.startswith("__"):
                    value, other = member.__get__(error), member.__get__(made)
                    plain = type(value) in PLAIN and type(value) is type(other)
                    if value is not other and not (plain and value == other):
                        found[name] = value
    return found


def _root(cls: type) -> str:
    """Return the top package of a class; its ``__module__`` may be anything."""
    return str(cls.__module__).partition(".")[0]


def _short(message: str) -> str:
    """Return one line on why an object does not say how it is made."""
    return message.splitlines()[0] if message else "it does not say how it is made again"


def _module_of(obj: Any, cls: type) -> str:
    """Return the module of an object that is reduced to a name."""
    module = getattr(obj, "__module__", None)
    return module if isinstance(module, str) else cls.__module__
