"""The layers of a store, bound into a few functions: key to id, value to data, and back.

This is where errors get their meaning. Only the look-up in the persister may say that a key is absent;
whatever a decoder raises, a KeyError included, is told apart from absence.
"""

from collections.abc import Callable, Iterator, MutableMapping
from types import MethodType
from typing import Any, Generic, NoReturn, TypeVar

from holdall.abc import (
    NOT_MINE,
    Capability,
    KeyCodec,
    KeyedSerializer,
    Persister,
    PersisterWrapper,
    Reader,
    Serializer,
    Unary,
)
from holdall.conditional import DELETE_CURRENT, Sentinel, Stat
from holdall.errors import (
    ConflictError,
    CorruptValueError,
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    SerializationError,
)
from holdall.keys import IdentityKeys, as_key_codec
from holdall.persisters.guards import AppendOnlyPersister
from holdall.persisters.keyed import KeyedPersister
from holdall.serializers import get_serializer
from holdall.store._calls import COMMANDS, UNNAMED, checker, find_and_finish, getter, missing, setter
from holdall.store._layers import (
    HOOKS,
    Hooks,
    Layer,
    Transform,
    compose_layers,
    composed,
    decoding,
    find_hook,
    listing,
)
from holdall.store._nested import as_persister

K = TypeVar("K")
V = TypeVar("V")

# What _bind makes: left out of pickles and copies, and made anew there.
_BOUND = (
    *("_get", "_has", "_set", "_encode", "_decode", "_decode_many", "_dump", "_load"),
    *("_find", "_finish", "_makes_missing", "_keeps_objects", "_inward", "_outward", "_proofs", "_limit"),
)
_TURNS = 10_000
_MISSING_CODE = (ImportError, AttributeError)


class StorePipeline(MutableMapping[K, V], Generic[K, V]):
    """The part of `Store` that composes persister, serializer and key codec."""

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
        self._params: dict[str, Any] = {
            "persister": getattr(place, "mapping", place),
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
        try:
            if value_type is not None:
                isinstance(None, value_type)
        except TypeError:
            raise InvalidArgumentError(
                f"value_type must be a class or a tuple of classes, got {value_type!r}"
            ) from None
        if not isinstance(persister, Persister):
            persister = PersisterWrapper(persister)  # refuses writes by name
        self._keyed = serializer if isinstance(serializer, KeyedSerializer) else None
        if self._keyed is not None:
            persister, serializer = KeyedPersister(persister, self._keyed), None
        self._persister: Any = AppendOnlyPersister(persister) if append_only else persister
        self._codec = codec
        self._serializer = serializer
        self._value_type = value_type
        self._layers: tuple[Layer, ...] = (Hooks(0, {}),)  # see _layers
        self._methods: dict[str, Callable[..., Any]] = {}  # those that wrappers gave to this handle
        self._id_prefix = ""
        self._bind()

    # ------------------------------------------------------------------ hooks

    def _id_of_key(self, key: Any) -> Any:
        """Name a key; override it alone or with `_key_of_id`."""
        return self._codec.encode(key)

    def _key_of_id(self, id: Any) -> Any:
        """Give the key of an id, or `NOT_MINE`."""
        return self._codec.decode(id)

    def _data_of_obj(self, obj: Any) -> Any:
        """Turn a value into what the persister keeps."""
        return obj if self._serializer is None else self._dumper(self._serializer)(obj)

    def _obj_of_data(self, data: Any) -> Any:
        """Turn what the persister keeps into a value."""
        return data if self._serializer is None else self._serializer.loads(data)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in HOOKS:  # a hook given to one instance
            self._bind()

    def __getstate__(self) -> dict[str, Any]:
        made = {*_BOUND, *self._methods}
        return {name: value for name, value in vars(self).items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._bind()

    # ------------------------------------------------------------------ binding

    def _hook(self, name: str, hooks: Hooks) -> Unary | None:
        """Give a hook that was overridden, by a subclass or on the instance."""
        return find_hook(self, StorePipeline, name, hooks)

    def _bind(self) -> None:
        """Compose the layers into functions that are called directly.

        A store over a dict reads in about 70 ns this way, against 170 ns with four calls of hooks
        (``benchmarks/wrappers.py``).
        """
        codec, serializer = self._codec, self._serializer
        base, *layers = self._layers
        encode, decode, dump_hook, load_hook, *_ = self._hooks_of(base)  # type: ignore[arg-type]
        decode_own = decode is not None
        renames = encode is not None
        if type(codec) is not IdentityKeys:
            encode, decode = encode or codec.encode, decode or codec.decode
        outer = compose_layers(layers, self._hooks_of)
        self._encode = composed([*outer.encoders, *([encode] if encode else [])])
        decoders = [*([decode] if decode else []), *outer.decoders]
        if renames or outer.renames:
            self._decode: Unary | None = listing(decoders, self._encode)
        else:
            self._decode = decoding(decoders) if outer.decoders else composed(decoders)
        self._decode_many = codec.decode_many if self._decode == codec.decode else None
        self._listed_by_codec = not outer.decoders and not decode_own
        self._inward, self._outward, self._proofs = outer.inward, outer.outward, outer.proofs
        self._dump = dump_hook or (self._dumper(serializer) if serializer else None)
        self._load = load_hook or (serializer.loads if serializer else None)
        self._keeps_objects = self._load is None  # what the place gives may be what it keeps
        if self._value_type is not None:
            self._load = _checking(self._value_type, self._load)
        self._own_errors = (dump_hook is not None, load_hook is not None)
        limit = serializer.stream_from if serializer and not load_hook else None
        self._limit = limit if Capability.STREAMING in self._persister.capabilities else None
        self._makes_missing = self._persister.makes_missing
        self._get = getter(self)
        self._find, self._finish = find_and_finish(self)
        self._finish_own = load_hook is not None or self._keeps_objects
        self._has = checker(self)
        self._set = setter(self)
        # CPython reads attributes some five times faster from a dict that no other instance shares keys with.
        methods = {name: MethodType(method, self) for name, method in self._methods.items()}
        object.__setattr__(self, "__dict__", {**vars(self), **methods})

    def _dumper(self, serializer: Serializer[Any]) -> Unary:
        """Give the function that makes data: in pieces, for a place that does not keep these as they are."""
        in_pieces = Capability.STREAMING in self._persister.capabilities
        return serializer.parts if in_pieces else serializer.dumps

    def _last_hooks(self) -> Hooks:
        return next(layer for layer in reversed(self._layers) if isinstance(layer, Hooks))

    def _hooks_of(self, hooks: Hooks) -> Transform:
        if hooks is self._last_hooks():
            hooks = Hooks(hooks.level, vars(self))
        found = (self._hook(name, hooks) for name in HOOKS)
        return Transform(*found)  # type: ignore[arg-type]

    def _prove(self, key: Any) -> None:
        """Check, at the first write, that functions of keys are each other's inverse.

        Costs one call of each; a key that comes back is no proof for all others, but a wrong pair nearly
        always fails at once.
        """
        self._id(key)  # a key that is not taken is told as such
        for transform, to_key in self._proofs:
            transform.prove(key if to_key is None else to_key(key))
        self._proofs = []

    # ------------------------------------------------------------------ errors

    @property
    def _place(self) -> str:
        return str(self._persister.place)

    def _absent(self, id: Any, error: TypeError) -> NoReturn:
        """Tell an id that a mapping cannot take from an error of its own."""
        if not isinstance(error, HoldallError):
            try:
                hash(id)
            except TypeError:
                raise InvalidKeyError(
                    f"{id!r:.80} cannot be a key of {self._place}: {type(id).__name__} is not hashable",
                ) from None
        raise error

    def _impossible(self, key: Any, error: TypeError) -> bool:
        """Answer False for a key that cannot be hashed; pass on any other error."""
        if self._encode is None:
            try:
                hash(key)
            except TypeError:
                return False
        raise error

    def _key_failed(self, error: Exception, key: Any) -> NoReturn:
        """Tell a key that a function of keys cannot take from a fault of the function."""
        if isinstance(error, InvalidKeyError):
            raise error
        if isinstance(error, KeyError):
            raise InvalidArgumentError(
                f"naming {key!r:.120} for {self._place} failed with KeyError: {error}; that does not mean "
                "that the key is absent: raise InvalidKeyError for keys that are not accepted",
            ) from error
        raise InvalidKeyError(
            f"{key!r:.120} has no name in {self._place}: {type(error).__name__}: {error}",
        ) from error

    def _load_failed(self, error: Exception, key: Any, *, own: bool | None = None) -> NoReturn:
        own = self._own_errors[1] if own is None else own
        if isinstance(error, _OtherTypeError):
            raise InvalidArgumentError(
                f"values of this store are {self._value_type!r}, and that of {key!r:.120} in {self._place} "
                f"is {error}: read it by a store without value_type, or store another value in its place",
            ) from None
        if isinstance(error, HoldallError) and not isinstance(error, SerializationError | KeyError):
            raise error
        if own and not isinstance(error, KeyError):
            raise error
        missing = isinstance(error, _MISSING_CODE) and not own
        kind = SerializationError if missing else CorruptValueError
        what = "needs code that is not here" if missing else "cannot be decoded"
        raise kind(
            f"the value of {key!r:.120} in {self._place} {what}: {_told(error)}",
        ) from error

    def _dump_failed(self, error: Exception, key: Any, *, own: bool | None = None) -> NoReturn:
        own = self._own_errors[0] if own is None else own
        if own and not isinstance(error, KeyError):
            raise error
        raise SerializationError(
            f"the value for {key!r:.120} was not stored in {self._place}: {error}",
        ) from error

    def _refuse_value(self, key: Any, value: Any) -> NoReturn:
        raise InvalidArgumentError(
            f"values of this store are {self._value_type!r}, got {type(value).__name__} for {key!r:.120}",
        )

    def _command(self, key: Any, value: Any) -> None:
        """Carry out a joker that was written in the place of a value."""
        if type(value) is Sentinel:
            raise InvalidArgumentError(
                f"{value!r} marks what is not there and cannot be stored for {key!r:.120}"
            )
        id = self._id(key)
        if value is DELETE_CURRENT:
            self._persister.discard(id)

    # ------------------------------------------------------------------ pieces for the other parts

    def _id(self, key: Any) -> Any:
        """Name a key; InvalidKeyError if it has no name."""
        if self._encode is not None:
            try:
                return self._encode(key)
            except UNNAMED as error:
                self._key_failed(error, key)
        try:
            hash(key)
        except TypeError as error:
            self._absent(key, error)
        return key

    def _data(self, key: Any, value: Any) -> Any:
        """Check and serialize a value."""
        if self._proofs:
            self._prove(key)
        if type(value) in COMMANDS:
            raise InvalidArgumentError(f"{value!r} is a command, not a value, and has no meaning here")
        value = self._inside(key, value)
        if self._value_type is not None and not isinstance(value, self._value_type):
            self._refuse_value(key, value)
        if self._dump is None:
            return value
        try:
            return self._dump(value)
        except Exception as error:
            self._dump_failed(error, key)

    def _value(self, key: Any, data: Any) -> Any:
        """Deserialize the data of a key."""
        if self._load is not None:
            try:
                data = self._load(data)
            except Exception as error:
                self._load_failed(error, key)
        return self._outside(key, data)

    def _value_of_file(self, key: Any, data: Any) -> Any:
        """Give the value of data that may have come as an open file."""
        if self._limit is None or not hasattr(data, "readinto"):
            return self._value(key, data)
        return self._outside(key, self._loaded_file(key, data))

    def _loaded_file(self, key: Any, file: Any) -> Any:
        """Deserialize an open file."""
        assert self._serializer is not None  # noqa: S101  (there is a limit)
        try:
            with file:
                value = self._serializer.load(file)
            if self._value_type is not None:
                _check(self._value_type, value)
        except Exception as error:
            self._load_failed(error, key)
        return value

    def _outside(self, key: Any, value: Any) -> Any:
        """Give what the functions above the base make of a value that was read."""
        try:
            return self._outward.apply(key, value)
        except KeyError as error:
            self._load_failed(error, key, own=True)

    def _inside(self, key: Any, value: Any) -> Any:
        """Give what the functions above the base make of a value that is to be stored."""
        try:
            value = self._inward.apply(key, value)
        except KeyError as error:
            self._dump_failed(error, key, own=True)
        if type(value) in COMMANDS:
            raise InvalidArgumentError(
                f"{value!r} came out of a function of values for {key!r:.120}, and is no value"
            )
        return value

    def _read(self, key: Any, id: Any) -> tuple[Any, Stat]:
        """Read value and stat as one snapshot."""
        try:
            data, stat = self._persister.read(id)
        except KeyError as error:
            raise missing(key, error) from None
        return self._value(key, data), stat

    def _get_present(self, key: Any) -> Any:
        """Read the value of a key that is listed; KeyError if it was deleted meanwhile."""
        if self._makes_missing and key not in self:
            raise KeyError(key)
        return self._get(key)

    def _stats(self) -> Iterator[tuple[Any, Stat]]:
        """Iterate over keys and stats of the items that are ours."""
        decode = self._decode
        for id, stat in self._persister.scan(self._id_prefix):
            key = id if decode is None else decode(id)
            if key is not NOT_MINE:
                yield key, stat

    def _turns(self, key: Any) -> Iterator[int]:
        """Count the attempts at a compare-and-swap, up to a number that no honest race reaches."""
        yield from range(_TURNS)
        raise ConflictError(
            f"{key!r:.120} in {self._place} was never twice at the same etag in {_TURNS} attempts: "
            "the place gives a new etag at every look, or others write it all the time",
            attempts=_TURNS,
        )

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Iterate over keys and ids of the items that are ours."""
        decode = self._decode
        if decode is None:
            for id in self._persister:
                yield id, id
            return
        for id in self._persister.ids(self._id_prefix):
            key = decode(id)
            if key is not NOT_MINE:
                yield key, id


class _OtherTypeError(Exception):
    """Says of what type a value is that was read; who knows the key tells it."""


def _check(wanted: Any, value: Any) -> None:
    if not isinstance(value, wanted):
        raise _OtherTypeError(type(value).__name__)


def _checking(wanted: Any, load: Unary | None) -> Unary:
    """Give a function that loads a value and checks its type."""

    def checked(data: Any) -> Any:
        value = data if load is None else load(data)
        _check(wanted, value)
        return value

    return checked


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, HoldallError) else f"{type(error).__name__}: {error}"


__all__ = ["StorePipeline"]
