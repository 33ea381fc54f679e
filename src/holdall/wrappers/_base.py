"""How a function that changes a store becomes a wrapper: of instances, of classes, and with options alone."""

import functools
import inspect
import sys
import types
from collections.abc import Callable, Container, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, get_origin, overload

from holdall._options import options_of, refuse_text, unknown_option
from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.store import Pipeline, Store
from holdall.store._hooks import HOOKS, levels_of, pass_on
from holdall.store.pipeline import Hooks

__all__ = ["BaseWrapper", "Decorator", "Wrapper", "added_method", "wrapper"]

#: From the options of a wrapper to the methods that it adds.
Methods: TypeAlias = Callable[..., dict[str, Callable[..., Any]]]

P = ParamSpec("P")
S = TypeVar("S", bound=Store[Any, Any])
K = TypeVar("K")
V = TypeVar("V")
C = TypeVar("C", bound=Callable[..., Any])


def added_method(function: C) -> C:
    """Mark a function as a method that a wrapper adds, so that another wrapper may replace it."""
    function.from_wrapper = True  # type: ignore[attr-defined]
    return function


class Decorator:
    """A wrapper with its options, to be called with a store, a store class or any mapping.

    Parameters
    ----------
    wrapper
        The wrapper.
    options
        Its options.
    """

    def __init__(self, wrapper: "BaseWrapper", options: dict[str, Any]) -> None:
        self.wrapper = wrapper
        self.options = options

    @overload
    def __call__(self, store: type[S], /) -> type[S]: ...
    @overload
    def __call__(self, store: S, /) -> S: ...
    @overload
    def __call__(self, store: type[Mapping[K, V]], /) -> type[Store[K, V]]: ...
    @overload
    def __call__(self, store: Mapping[K, V], /) -> Store[K, V]: ...
    def __call__(self, store: Any, /) -> Any:
        """Wrap a store, a store class, or a mapping."""
        return self.wrapper.wrap(store, **self.options)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={shown(value)}" for name, value in self.options.items())
        return f"{self.wrapper.__name__}({options})"


class Changing:
    """The change that a wrapper with its options makes to a store; it can be pickled if the options can."""

    def __init__(self, wrapper: "BaseWrapper", options: dict[str, Any]) -> None:
        self.wrapper = wrapper
        self.options = options

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Changing) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.wrapper, *self.options))

    def __call__(self, store: Any) -> Pipeline:
        return self.wrapper.change(store, **self.options)


class BaseWrapper:
    """The base of all wrappers, whatever their types.

    Parameters
    ----------
    change
        From a store and options to the pipeline of the changed store.
    methods
        Returns the methods that a store gets, by name, for the options of the wrapper; they are functions of
        a module.
    replaces
        Those of them that may replace one of a class of this library.
    """

    __name__: str
    __qualname__: str

    def __init__(
        self, change: Callable[..., Pipeline], methods: Methods | None = None, replaces: Container[str] = ()
    ) -> None:
        self._methods = methods
        self._replaces = replaces
        functools.update_wrapper(self, change)  # type: ignore[arg-type]
        self.change = change

    def wrap(self, *stores: Any, **options: Any) -> Any:
        """Wrap a store, a store class, or a mapping; without one, return a decorator."""
        self._check_names(options)
        if len(stores) > 1:
            raise InvalidArgumentError(f"{self.__name__} takes one store, and options by name")
        if not stores:
            self._try(options)
            return Decorator(self, options)
        store = stores[0]
        if isinstance(store, type) or get_origin(store) is not None:
            self._try(options)
            return self._class_of(store, options)
        if store is None:  # Store(None) would be a new dict, and hide a mistake
            raise InvalidArgumentError(
                f"{self.__name__} takes a store, a mapping or a class of these, got None"
            )
        given = store if isinstance(store, Store) else Store(store)
        methods = self._methods_for(type(given), options)
        return given.derive(self._changing(options), name=self.__name__, methods=methods)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<wrapper {self.__name__}>"

    def _changing(self, options: dict[str, Any]) -> Callable[[Any], Pipeline]:
        return Changing(self, options)

    def _check_names(self, options: dict[str, Any]) -> None:
        known = options_of(self.change)
        for name in options:
            if known is not None and name not in known:
                raise unknown_option(self.__name__, name, known)
        refuse_text(self.__name__, [self.change], options)

    def _try(self, options: dict[str, Any]) -> None:
        """Raise for wrong options when a class is made, not when it is instantiated."""
        Store().derive(self._changing(options))
        self._methods_for(Store, options)

    def _methods_for(self, cls: type, options: dict[str, Any]) -> dict[str, Callable[..., Any]]:
        """Return the methods that a wrapper adds; raise if one would hide another."""
        if self._methods is None:
            return {}
        inspect.signature(self.change).bind(None, **options)  # raises TypeError for a wrong name
        methods = self._methods(**options)
        for name in methods:
            own = getattr(cls, name, None)
            if own is None or hasattr(own, "from_wrapper"):
                continue
            if name not in self._replaces or not own.__module__.startswith("holdall."):
                raise InvalidArgumentError(
                    f"{cls.__name__} has a {name!r} of its own, which {self.__name__} would hide: choose "
                    "another word, or wrap Store(store)"
                )
        return methods

    def _class_of(self, given: Any, options: dict[str, Any]) -> type:
        origin: Any = get_origin(given) or given
        if not issubclass(origin, Store):
            given = origin = _class_over(origin)
        if given is origin and (parameters := vars(origin).get("__parameters__")):
            given = origin.__class_getitem__(parameters)  # so that the new class also takes types
        change = self._changing(options)

        @functools.wraps(origin.__init__)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            super(made, self).__init__(*args, **kwargs)
            level = levels_of(type(self)).index(origin) + 1
            self._wrapped(change, Hooks(level, {}), {})

        def __reduce_ex__(self: Any, protocol: Any) -> Any:  # noqa: N807
            _find_name(made)
            return super(made, self).__reduce_ex__(protocol)

        names = {
            **dict.fromkeys(HOOKS, pass_on),
            **self._methods_for(origin, options),
            "__init__": __init__,
            "__reduce_ex__": __reduce_ex__,
            "__module__": origin.__module__,
            "__qualname__": origin.__qualname__,
            "__doc__": origin.__doc__,
            "_wraps": origin,
            "_made_in": _callers_module(),
        }
        made: Any = types.new_class(origin.__name__, (given,), exec_body=lambda body: body.update(names))
        return made  # type: ignore[no-any-return]


class Wrapper(BaseWrapper, Generic[P]):
    """A wrapper that keeps the types of what it wraps, as `wrapper` makes it."""

    @overload
    def __call__(self, store: type[S], /, *args: P.args, **options: P.kwargs) -> type[S]: ...
    @overload
    def __call__(self, store: S, /, *args: P.args, **options: P.kwargs) -> S: ...
    @overload
    def __call__(
        self, store: type[Mapping[K, V]], /, *args: P.args, **options: P.kwargs
    ) -> type[Store[K, V]]: ...
    @overload
    def __call__(self, store: Mapping[K, V], /, *args: P.args, **options: P.kwargs) -> Store[K, V]: ...
    @overload
    def __call__(self, *args: P.args, **options: P.kwargs) -> Decorator: ...
    def __call__(self, *stores: Any, **options: Any) -> Any:  # type: ignore[misc]
        """Wrap a store, a store class, or a mapping; without one, return a decorator."""
        return self.wrap(*stores, **options)


def wrapper(change: Callable[Concatenate[Any, P], Pipeline]) -> Wrapper[P]:
    """Make a wrapper from a function from a store to the pipeline of a changed one.

    Parameters
    ----------
    change
        Called with a store, and options by name; returns a `Pipeline`: ``store.pipeline.over(persister)``,
        with a `holdall.PersisterWrapper` around ``store.pipeline.persister``;
        ``store.pipeline.add(layer)``, with `Functions` or a key codec; or, where behaviour must see keys and
        values, ``Pipeline(persister)`` with a persister around ``StorePersister(store)``. It must only build:
        it is also called with an empty store, so that wrong options are refused when a class or a decorator
        is made.

    Returns
    -------
    Wrapper
        To be called with a store (returns a changed handle; the argument stays as it is), with a store class
        (returns a subclass), with any mapping or mapping class (returns a store, or a class of stores, over
        it), or with options alone (returns a decorator of all these).

    Examples
    --------
    >>> from holdall.abc import PersisterWrapper
    >>> class Loud(PersisterWrapper):
    ...     def put(self, id, data):
    ...         print("writing", id)
    ...         self.inner.put(id, data)
    >>> @wrapper
    ... def loud(store):
    ...     return store.pipeline.over(Loud(store.pipeline.persister))
    >>> loud({})["a"] = 1
    writing a
    """
    return Wrapper[P](change)


def _class_over(mapping: type) -> type:
    """Return the class of stores over the instances of a foreign class."""
    if not (hasattr(mapping, "__getitem__") and hasattr(mapping, "__iter__")):
        raise InvalidArgumentError(
            f"a wrapper takes a store, a mapping or a class of these, got the class {mapping.__qualname__}"
        )

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        Store.__init__(self, mapping(*args, **kwargs))

    def __getattr__(self: Any, name: str) -> Any:  # noqa: N807
        if "_pipeline" not in vars(self):  # not yet initialized or unpickled
            raise AttributeError(name)
        return getattr(self.store, name)

    try:
        __init__.__signature__ = inspect.signature(mapping)  # type: ignore[attr-defined]
    except (TypeError, ValueError):  # a C class without a signature
        pass
    built_in = mapping.__module__ == "builtins"  # another class named dict would be confusing
    names: dict[str, Any] = {
        **_own_methods(mapping),
        "__init__": __init__,
        "__getattr__": __getattr__,
        "__doc__": mapping.__doc__,
        "__module__": _callers_module() if built_in else mapping.__module__,
        "__qualname__": f"{mapping.__name__.capitalize()}Store" if built_in else mapping.__qualname__,
    }
    name = names["__qualname__"].rpartition(".")[2]
    return types.new_class(name, (Store,), exec_body=lambda body: body.update(names))


def _own_methods(mapping: type) -> dict[str, Any]:
    """Return the methods of a foreign class that a store lacks, for use on the store.

    One that calls `super` works only on an instance of its class, where it is found as an attribute.
    """
    found: dict[str, Any] = {}
    for cls in reversed(mapping.__mro__):
        for name, value in vars(cls).items():
            function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            code = getattr(function, "__code__", None)
            if code is None or name.startswith("__") or hasattr(Store, name):
                continue
            if "__class__" not in code.co_freevars:
                found[name] = value
    return found


def _callers_module() -> str:
    """Return the name of the module that called a wrapper."""
    frame = sys._getframe(1)  # noqa: SLF001  (there is no other way)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("holdall.wrappers"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "__main__"))


def _find_name(cls: Any) -> None:
    """Make a class that is bound at module level importable for pickle, under whatever name."""
    if getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is cls:
        return
    for name, value in vars(sys.modules.get(cls._made_in, types)).copy().items():
        if value is cls:
            cls.__module__, cls.__qualname__ = cls._made_in, name
            return
