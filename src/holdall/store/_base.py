"""How a store is made: from layers, from another store with more layers, and from a pickle."""

from collections.abc import Callable, Mapping, MutableMapping
from types import MethodType
from typing import Any, Generic, Self, TypeVar

from holdall._options import options_of, refuse_text, unknown_option
from holdall.abc import KeyCodec, KeyedSerializer, Reader, Serializer
from holdall.errors import InvalidArgumentError
from holdall.keys import as_key_codec
from holdall.serializers import get_serializer
from holdall.store._compiled import Compiled, dumper
from holdall.store._hooks import HOOKS, as_it_is, frozen_layers
from holdall.store._place import as_persister
from holdall.store.pipeline import Hooks, Pipeline

__all__ = ["StoreBase"]

K = TypeVar("K")
V = TypeVar("V")


class StoreBase(MutableMapping[K, V], Generic[K, V]):
    """The part of `Store` that composes persister, serializer, key codec and the layers above them."""

    # A slot: read at every verb, and neither copied nor pickled.
    __slots__ = ("__dict__", "__weakref__", "_compiled")

    _pipeline: Pipeline
    _compiled: Compiled
    _params: dict[str, Any]
    _methods: dict[str, Callable[..., Any]]  # those that wrappers gave to this handle

    def __class_getitem__(cls, types: Any) -> Any:
        given = types if isinstance(types, tuple) else (types,)
        if len(given) == 1 and len(getattr(cls, "__parameters__", ())) == 2:
            name = types.__qualname__ if isinstance(types, type) else repr(types)
            raise InvalidArgumentError(
                f"{cls.__name__} takes the types of keys and of values, as in {cls.__name__}[str, {name}]"
            )
        return super().__class_getitem__(types)  # type: ignore[misc]

    def __new__(cls, *args: Any, **options: Any) -> Self:
        del args
        known = options_of(cls.__init__) if options else None
        if known is not None:
            for name in options:
                if name not in known:
                    raise unknown_option(cls.__name__, name, known)
        refuse_text(cls.__name__, cls.__mro__, options)
        return super().__new__(cls)

    def __init__(
        self,
        persister: Any = None,
        *,
        keys: Any = None,
        serializer: Any = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
        store: Any = None,
    ) -> None:
        if persister is not None and store is not None:
            raise InvalidArgumentError("give the mapping to wrap once: as persister or as store")
        place = as_persister(persister if store is None else store)
        codec = as_key_codec(keys)
        self._params = {
            "persister": getattr(place, "mapping", getattr(place, "inner", place)),
            "keys": keys,
            "serializer": serializer,
            "value_type": value_type,
            "append_only": append_only,
        }
        self._assemble(
            place,
            codec,
            None if serializer is None else get_serializer(serializer),
            value_type=value_type,
            append_only=append_only,
        )

    def _assemble(
        self,
        persister: Reader,
        codec: KeyCodec[Any],
        serializer: Serializer[Any] | None,
        *,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        """Compose the store, as the last step of every constructor."""
        try:
            if value_type is not None:
                isinstance(None, value_type)
        except TypeError:
            raise InvalidArgumentError(
                f"value_type must be a class or a tuple of classes, got {value_type!r}"
            ) from None
        self._methods = {}
        pipeline = Pipeline(None, codec, serializer, value_type, (Hooks(0, {}),)).over(persister)
        if append_only:
            from holdall.persisters.guards import AppendOnlyPersister  # noqa: PLC0415  (rarely needed)

            pipeline = pipeline.over(AppendOnlyPersister(pipeline.persister))
        self._install(pipeline)

    def _install(self, pipeline: Pipeline) -> None:
        """Make this a store of the given pipeline."""
        fields = vars(self)
        fields["_pipeline"] = pipeline
        object.__setattr__(self, "_compiled", Compiled(self, StoreBase, pipeline))
        for name, method in self._methods.items():
            fields[name] = MethodType(method, self)

    # ------------------------------------------------------------------ hooks

    def _id_of_key(self, key: Any) -> Any:
        """Return the id of a key; override it alone or with `_key_of_id`."""
        return self._pipeline.keys.encode(key)

    def _key_of_id(self, id: Any) -> Any:
        """Return the key of an id, or `NOT_MINE`."""
        return self._pipeline.keys.decode(id)

    def _data_of_obj(self, obj: Any) -> Any:
        """Turn a value into what the persister keeps."""
        serializer = self._pipeline.serializer
        if serializer is None or isinstance(serializer, KeyedSerializer):  # chosen by id, below
            return obj
        return dumper(serializer, self._pipeline.persister)(obj)

    def _obj_of_data(self, data: Any) -> Any:
        """Turn what the persister keeps into a value."""
        serializer = self._pipeline.serializer
        if serializer is None or isinstance(serializer, KeyedSerializer):
            return data
        return serializer.loads(data)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in HOOKS:  # a hook given to one instance
            self._install(self._pipeline)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).copy().items() if name not in self._methods}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._install(self._pipeline)

    # ------------------------------------------------------------------ other handles

    @property
    def pipeline(self) -> Pipeline:
        """What this store consists of: persister, key codec, serializer, and the layers above them."""
        return self._pipeline

    def derive(
        self,
        change: Callable[[Self], Pipeline],
        *,
        name: str | None = None,
        methods: Mapping[str, Callable[..., Any]] | None = None,
    ) -> Self:
        """Return a new store that is this one with a change, as wrappers do to an instance.

        Parameters
        ----------
        change
            Called with a handle of this store as it is now; returns the pipeline of the new store:
            ``store.pipeline.over(persister)``, ``store.pipeline.add(layers)``, or, where behaviour must see
            keys and values, ``Pipeline(persister over StorePersister(store))``.
        name
            The name of the change in the `repr`.
        methods
            Functions that the new store has as additional methods, by name.

        Returns
        -------
        Store
            A store of the same class; this one stays as it is. The hooks of its class lie below the change,
            those that it is given later lie above.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> from holdall.persisters.guards import ReadOnlyPersister
        >>> store = MemoryStore({"a": 1})
        >>> def guarded(store):
        ...     return store.pipeline.over(ReadOnlyPersister(store.pipeline.persister))
        >>> shown = store.derive(guarded)
        >>> shown["a"]
        1
        >>> shown["a"] = 2
        Traceback (most recent call last):
        ...
        holdall.errors.ReadOnlyError: ...
        """
        from holdall.store._changes import Change  # noqa: PLC0415  (plain stores have none)

        made = self._handle()
        made._wrapped(change, Hooks(None, {}), methods or {})  # noqa: SLF001  (same class)
        made._note(Change(change, name, methods or {}))  # noqa: SLF001
        return made

    def with_persister(self, persister: Any) -> Self:
        """Return another handle of this store that keeps its data in another persister.

        Parameters
        ----------
        persister
            A `Persister`, or a read-only `Reader`.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> from holdall.persisters.mapping import MappingPersister
        >>> place = {}
        >>> MemoryStore().with_persister(MappingPersister.of(place))["a"] = 1
        >>> place
        {'a': 1}
        """
        return self._with(self._pipeline.over(persister))

    def _note(self, change: Any) -> None:
        """Remember the step by which this store was made from another one."""
        vars(self)["_params"] = {**self._params, "changes": (*self._params.get("changes", ()), change)}

    def _with(self, pipeline: Pipeline) -> Self:
        """Return another handle with another pipeline and the same hooks."""
        made = self._handle()
        made._install(pipeline)  # noqa: SLF001  (same class)
        return made

    def _handle(self) -> Self:
        made = object.__new__(type(self))
        vars(made).update(self.__getstate__())
        return made

    def _frozen(self) -> Self:
        """Return a handle whose pipeline has the hooks of the instance as they are now."""
        layers = frozen_layers(self, self._pipeline.layers)
        made = self._handle()
        for hook in HOOKS:
            vars(made).pop(hook, None)
        made._install(self._pipeline._replace(layers=layers))  # noqa: SLF001  (same class)
        return made

    def _wrapped(
        self,
        change: Callable[[Self], Pipeline],
        hooks: Hooks,
        methods: Mapping[str, Callable[..., Any]],
    ) -> None:
        """Replace the pipeline by what a change makes of it; hooks given later lie on top."""
        pipeline = change(self._frozen())
        fields = vars(self)
        for hook in HOOKS:
            fields.pop(hook, None)
        if hooks.level is None:
            fields.update(dict.fromkeys(HOOKS, as_it_is))
        fields["_methods"] = {**self._methods, **methods}
        self._install(pipeline.add(hooks))

    # ------------------------------------------------------------------ pieces for the other parts

    def _present(self, key: Any) -> Any:
        """Return the value of a key that was listed; raise KeyError if it was deleted meanwhile."""
        if self._compiled.makes_missing and key not in self:
            raise KeyError(key)
        return self[key]
