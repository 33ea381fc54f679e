"""The layers of a store, made into a few functions."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from holdall._shown import shown
from holdall.abc import NOT_MINE, Capability, KeyCodec, KeyedSerializer, Reader, Serializer, Unary
from holdall.conditional import DELETE_CURRENT, Joker, Sentinel, Stat
from holdall.errors import (
    ConflictError,
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
)
from holdall.keys import IdentityKeys, Under
from holdall.store._boundary import ErrorBoundary, OtherTypeError, as_text, is_other, missing
from holdall.store._compose import ValueFunctions, compose_layers, composed, decoding, listing
from holdall.store._hooks import functions_of
from holdall.store._listing import Listings
from holdall.store.pipeline import Functions, Hooks, Layer, Pipeline

__all__ = ["COMMANDS", "UNNAMED", "Compiled", "dumper", "missing"]

#: The types of markers that are not values.
COMMANDS: Final = frozenset({Joker, Sentinel})
#: What a key function raises for a key that it cannot take, or for a fault of its own.
UNNAMED: Final = (KeyError, TypeError, AttributeError)

_TURNS = 10_000
_NOTHING = ValueFunctions(None, None)


class Compiled(ErrorBoundary):
    """The functions of one store, made from its pipeline and its hooks; made again instead of pickled.

    ``benchmarks/wrappers.py`` measures what this saves over calling each hook.
    """

    __slots__ = (
        "choose",
        "codec",
        "counts",
        "decode",
        "decode_many",
        "dump",
        "encode",
        "fetch",
        "inward",
        "keeps_objects",
        "limit",
        "listed_by_codec",
        "listings",
        "load",
        "loads",
        "makes_missing",
        "names_by_codec",
        "outward",
        "own_errors",
        "pairs",
        "persister",
        "prefix",
        "put",
        "reads_values",
        "serializer",
        "special",
        "value_type",
        "writes_values",
    )

    #: From key to id, and back (`NOT_MINE` for ids of no key); None leaves them as they are.
    encode: Unary | None
    decode: Unary | None
    #: From several ids to the keys of those that are ours; None where only `decode` can tell.
    decode_many: Callable[[list[str]], list[Any]] | None
    #: Whether the persister counts its ids without listing them.
    counts: bool
    #: The listings of keys, which a count may share.
    listings: Listings
    #: The text with which all ids of this store start.
    prefix: str
    #: Whether only the codec and views name keys.
    names_by_codec: bool
    #: From value to data, and back, by hooks or serializer; None leaves them as they are.
    dump: Unary | None
    load: Unary | None
    #: `load` for data that are not an open file.
    loads: Unary | None
    #: Return the serializer of an id, where ids choose one.
    choose: Callable[[str], Serializer[Any]] | None
    #: Functions of values above the base.
    inward: ValueFunctions
    outward: ValueFunctions
    #: Whether values are read and written as they are.
    reads_values: bool
    writes_values: bool
    #: Whether there is more to do than `dump` and `load`; then `data` and `value` do it.
    special: bool
    #: From id to data (or, above `limit` bytes, an open file), and back to the persister.
    fetch: Unary
    put: Callable[[Any, Any], None]
    limit: int | None

    def __init__(self, store: Any, base: type, pipeline: Pipeline) -> None:
        persister, codec, serializer, self.value_type, layers = pipeline
        self.persister, self.codec, self.serializer = persister, codec, serializer
        self.put = persister.put
        self.makes_missing = persister.makes_missing
        self.listings = Listings()
        self.counts = type(persister).__len__ is not Reader.__len__

        known: dict[int, Functions] = {}

        def hooks_of(hooks: Hooks) -> Functions:
            found = known.get(id(hooks))
            if found is None:  # needed three times, and searching a class is slow
                found = known[id(hooks)] = functions_of(store, base, hooks, layers)
            return found

        lowest = layers[:1]
        hooks = Functions()
        if lowest and isinstance(lowest[0], Hooks):
            hooks, layers_above = hooks_of(lowest[0]), layers[1:]
        else:
            layers_above = layers
        above = compose_layers(layers_above, hooks_of)
        self.inward, self.outward, self.pairs = above.inward, above.outward, above.pairs
        self._name(hooks, above.encoders, above.decoders, renames=above.renames)
        self.prefix = _prefix_of(pipeline, hooks_of)
        self.names_by_codec = not any(_names(layer, hooks_of) for layer in layers)
        self._serialize(hooks)
        chosen = self.choose is not None
        above_base = (self.inward, self.outward) != (_NOTHING, _NOTHING)
        self.special = chosen or above_base or self.value_type is not None
        self.reads_values = not chosen and self.load is None and self.outward == _NOTHING
        self.writes_values = not (self.special or self.dump)

    def _name(self, hooks: Functions, encoders: list[Unary], decoders: list[Unary], *, renames: bool) -> None:
        """Compose the functions that name keys."""
        codec, encode, decode = self.codec, hooks.id_of_key, hooks.key_of_id
        renames = renames or encode is not None
        self.listed_by_codec = decode is None and not decoders
        if type(codec) is not IdentityKeys:
            encode, decode = encode or codec.encode, decode or codec.decode
        elif (
            encode is None and self.serializer is not None and Capability.BYTES in self.persister.capabilities
        ):
            encode = partial(as_text, self.persister)
        self.encode = composed([*encoders, *([encode] if encode else [])])
        functions = [*([decode] if decode else []), *decoders]
        self.decode_many = None
        if renames:
            self.decode_many = listed = listing(functions, self.encode)
            self.decode = lambda one: next(iter(listed((one,))), NOT_MINE)
        elif self.listed_by_codec:
            self.decode = composed(functions)
            self.decode_many = codec.decode_many if functions else None
        else:
            self.decode = decoding(functions)

    def _serialize(self, hooks: Functions) -> None:
        """Compose the functions from values to data and back."""
        serializer, persister = self.serializer, self.persister
        self.choose = serializer.for_id if isinstance(serializer, KeyedSerializer) else None
        self.own_errors = (hooks.data_of_obj is not None, hooks.obj_of_data is not None)
        self.dump, self.load = hooks.data_of_obj, hooks.obj_of_data
        self.loads = self.load
        self.limit = None
        self.fetch = persister.getter
        if self.choose is not None:
            self.fetch = self._fetch_chosen
        elif serializer is not None:
            self.dump = self.dump or dumper(serializer, persister)
            streaming = Capability.STREAMING in persister.capabilities
            if self.load is None and streaming and serializer.stream_from is not None:
                self.limit = serializer.stream_from
                self.fetch = partial(persister.fetch, limit=self.limit)
                self.load = _loader(serializer)
            self.loads = hooks.obj_of_data or serializer.loads
            self.load = self.load or self.loads
        self.keeps_objects = self.load is None and self.choose is None  # the object itself is kept
        if self.value_type is not None:
            self.load, self.loads = (_checking(self.value_type, load) for load in (self.load, self.loads))
        elif self.keeps_objects and self.outward.plain is not None:  # saves a call for a single function
            self.own_errors = (self.own_errors[0], True)
            self.load = self.loads = self.outward.plain
            self.outward = _NOTHING

    # ------------------------------------------------------------------ keys

    def id(self, key: Any) -> Any:
        """Return the id of a key; raise InvalidKeyError if it has none."""
        if self.encode is not None:
            try:
                return self.encode(key)
            except UNNAMED as error:
                self.unnameable(key, error)
        try:
            hash(key)
        except TypeError as error:
            self.refuse(key, error)
        return key

    def pairs_of_ids(self) -> Iterator[tuple[Any, Any]]:
        """Return keys and ids of the items that are ours."""
        decode = self.decode
        if decode is None:
            return ((id, id) for id in self.persister)
        pages = self.listings.new(self.persister.pages(self.prefix))
        return ((key, id) for page in pages for id in page if (key := decode(id)) is not NOT_MINE)

    def owns(self, id: Any) -> bool:
        """Return whether an id belongs to one of our keys."""
        if not self.codec.reversible:
            return self.codec.owns(id)
        return self.decode is None or self.decode(id) is not NOT_MINE

    def stats(self) -> Iterator[tuple[Any, Stat]]:
        """Iterate over keys and stats of the items that are ours."""
        decode = self.decode
        for id, stat in self.persister.scan(self.prefix):
            key = id if decode is None else decode(id)
            if key is not NOT_MINE:
                yield key, stat

    def check_pairs(self, key: Any) -> None:
        """Check, at the first write, that the key functions are each other's inverse.

        This costs one call of each. It does not show that all other keys come back, but a wrong pair nearly
        always fails at once.
        """
        self.id(key)  # raises the right error for a key that is not taken
        for functions, to_key in self.pairs:
            functions.check_pair(key if to_key is None else to_key(key))
        self.pairs = []

    # ------------------------------------------------------------------ values

    def data(self, key: Any, id: Any, value: Any) -> Any:
        """Check and serialize a value."""
        if self.pairs:
            self.check_pairs(key)
        if type(value) in COMMANDS:
            raise InvalidArgumentError(f"{value!r} is a command, not a value, and has no meaning here").about(
                key=key, location=self.place, operation="write"
            )
        return self._data_of_special(key, id, value) if self.special else self._dumped(key, value)

    def _dumped(self, key: Any, value: Any) -> Any:
        if self.dump is None:
            return value
        try:
            return self.dump(value)
        except Exception as error:
            self.unwritable(key, error)

    def _data_of_special(self, key: Any, id: Any, value: Any) -> Any:
        """Serialize a value that has functions, a type to check, or a serializer chosen by id."""
        try:
            value = self.inward.apply(key, value)
        except KeyError as error:
            self.unwritable(key, error, own=True)
        if type(value) in COMMANDS:
            raise InvalidArgumentError(
                f"{value!r} came out of a function of values for {shown(key, 120)}, and is not a value"
            ).about(key=key, location=self.place, operation="write")
        if self.value_type is not None and not isinstance(value, self.value_type):
            self.refuse_value(key, value)
        value = self._dumped(key, value)
        if self.choose is None:
            return value
        serializer = self.choose(_text(id, self.serializer))
        try:
            return dumper(serializer, self.persister)(value)
        except Exception as error:
            self.unwritable(key, error, own=is_other(error))

    def value(self, key: Any, id: Any, data: Any) -> Any:
        """Deserialize the data of a key: bytes, an open file, or the persister's own objects."""
        if self.choose is not None:
            serializer = self.choose(id)
            try:
                data = _loader(serializer)(data)
            except Exception as error:
                self.unreadable(key, error, own=False, data=data)
        if self.load is not None:
            try:
                data = self.load(data)
            except Exception as error:
                self.unreadable(key, error, data=data)
        try:
            return self.outward.apply(key, data)
        except KeyError as error:
            self.unreadable(key, error, own=True)

    def read(self, key: Any, id: Any) -> tuple[Any, Stat]:
        """Return value and stat as one snapshot."""
        if self.choose is not None:
            _text(id, self.serializer)
            self.choose(id)  # raises for an id without one before anything is read
        try:
            data, stat = self.persister.read(id)
        except KeyError as error:
            raise missing(key, error) from None
        except HoldallError as error:
            self.add_facts(error, key, "read")
            raise
        if self.special:
            return self.value(key, id, data), stat
        load = self.loads  # for data that are not an open file
        try:
            return (data if load is None else load(data)), stat
        except Exception as error:
            self.unreadable(key, error, data=data)

    def _fetch_chosen(self, id: Any) -> Any:
        """Return data whose serializer is chosen by the id."""
        limit = self.choose(_text(id, self.serializer)).stream_from  # type: ignore[misc]
        return self.persister[id] if limit is None else self.persister.fetch(id, limit)

    def command(self, key: Any, value: Any) -> None:
        """Carry out a joker that was written as a value."""
        if type(value) is Sentinel:
            raise InvalidArgumentError(
                f"{value!r} marks what is not there and cannot be stored for {shown(key, 120)}"
            ).about(key=key, location=self.place, operation="write")
        id = self.id(key)
        if value is DELETE_CURRENT:
            self.discard(key, id)

    def turns(self, key: Any) -> Iterator[int]:
        """Yield the numbers of attempts at a compare-and-swap, up to one that no real race reaches."""
        yield from range(_TURNS)
        raise ConflictError(
            f"{shown(key, 120)} in {self.place} was never twice at the same etag in {_TURNS} attempts: "
            "its persister returns a new etag at every look, or others write it all the time",
            attempts=_TURNS,
        )


def dumper(serializer: Serializer[Any], persister: Any) -> Unary:
    """Return the function from values to data: whole, or in pieces where the persister takes them."""
    in_pieces = Capability.STREAMING in persister.capabilities
    # The default parts() is a single piece, which dumps() returns with one call less.
    return (
        serializer.parts if in_pieces and type(serializer).parts is not Serializer.parts else serializer.dumps
    )


def _text(id: Any, serializer: Any) -> str:
    if not isinstance(id, str):
        raise InvalidKeyError(f"{serializer!r} chooses by text, got {type(id).__name__}: {shown(id)}")
    return id


def _loader(serializer: Serializer[Any]) -> Unary:
    """Return a loader for data that may be an open file."""
    loads, load = serializer.loads, serializer.load

    def load_either(data: Any) -> Any:
        if type(data) is bytes or not hasattr(data, "readinto"):
            return loads(data)
        with data:
            return load(data)

    return load_either


def _checking(wanted: Any, load: Unary | None) -> Unary:
    """Return a loader that checks the type of values."""

    def load_checked(data: Any) -> Any:
        value = data if load is None else load(data)
        if not isinstance(value, wanted):
            raise OtherTypeError(type(value).__name__)
        return value

    return load_checked


def _names(layer: Layer, hooks_of: Callable[[Hooks], Functions]) -> bool:
    """Return whether a layer changes how keys are named, other than by showing a part of them."""
    if isinstance(layer, KeyCodec):
        return not isinstance(layer, Under)
    functions = hooks_of(layer) if isinstance(layer, Hooks) else layer
    return functions.id_of_key is not None or functions.key_of_id is not None


def _prefix_of(pipeline: Pipeline, hooks_of: Callable[[Hooks], Functions]) -> str:
    """Return a text with which the ids of all keys start, by views and filters; "" if none is known."""
    prefix, renamed = "", False
    for layer in pipeline.layers:
        if isinstance(layer, Under):
            below = "" if renamed else pipeline.keys.id_prefix(layer.codec.encode(layer.prefix))
            prefix, renamed = below or prefix, True
        elif isinstance(layer, KeyCodec):
            start = getattr(layer, "below", None)
            if start is not None and not (prefix or renamed):
                prefix = pipeline.keys.id_prefix(start)
            renamed = renamed or getattr(layer, "renames", True)
        else:
            functions = hooks_of(layer) if isinstance(layer, Hooks) else layer
            renamed = renamed or functions.id_of_key is not None
    return prefix
