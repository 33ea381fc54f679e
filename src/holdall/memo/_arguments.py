"""Arguments of a call in one normal form, however they were given, and the key of that form."""

import inspect
import itertools
import marshal
import math
import sys
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.memo._encoder import Encoder, Unkeyable
from holdall.memo._readable import readable

__all__ = ["ATOMS", "Arguments", "BadCallError", "CallKey", "plain_key", "quick_key"]

#: A key, and whether it is valid only in this process.
CallKey = tuple[str, bool]

_EMPTY: Any = inspect.Parameter.empty
_DIGEST_SIZE = 20  # bytes: 2**80 calls until two are likely to share a digest
_FORMAT = b"holdall memo 1\n"

#: Classes whose equal objects are the same argument, and which are hashed quickly.
ATOMS = frozenset({int, str, bool, bytes, type(None)})
# Types that marshal writes differently for different content. Zeros of both signs are equal floats.
_PLAIN = ATOMS | {float, complex}
_QUICK_ITEMS, _QUICK_BYTES = 200, 2000  # larger containers are digested


# Recorded with the arguments of a decorator that takes any: which of the function's were given.
_GIVEN = "(given)"


class BadCallError(TypeError):
    """The function cannot be called like this; its own error says so better."""


def quick_key(values: tuple[Any, ...]) -> Any:
    """Return a hashable object that is unique to these arguments; None if it would be slow to find.

    It is valid only in this process. Equal arguments may have several, different ones never the same: it
    includes classes, so ``1``, ``1.0`` and ``True`` differ.

    Parameters
    ----------
    values
        Arguments in normal form.
    """
    if ATOMS.issuperset(map(type, values)):
        return (*map(type, values), *values)
    return plain_key(values)


def plain_key(values: tuple[Any, ...]) -> Any:
    """Return the same as `quick_key` for arguments that are not all atoms."""
    try:
        if _all_plain(values):
            quick = marshal.dumps(values, 2)  # version 2 writes no identities
            return quick if len(quick) <= _QUICK_BYTES else None
    except (RecursionError, ValueError):  # recursive, or nested too deep
        pass
    return None


def _all_plain(values: Iterable[Any]) -> bool:
    """Return whether all are built-in and of moderate size, at all levels."""
    for value in values:
        cls = type(value)
        if cls in _PLAIN:
            continue
        if cls is dict:
            if len(value) > _QUICK_ITEMS or not (_all_plain(value) and _all_plain(value.values())):
                return False
        elif cls is list or cls is tuple:
            if len(value) > _QUICK_ITEMS or not (_PLAIN.issuperset(map(type, value)) or _all_plain(value)):
                return False
        else:
            return False
    return True


class Arguments:
    """The parameters of a function, and the keys of its calls.

    Parameters
    ----------
    function
        The function.
    ignore
        Names, or positions, of parameters that are left out of the key.
    key
        Returns the key of a call instead, from the same arguments.
    typed
        Whether ``1`` and ``1.0`` are different arguments.
    identity
        Names of parameters that are identified by object, not by content.
    local
        Whether objects of unknown content may be identified by object.

    Raises
    ------
    InvalidArgumentError
        If a name is not one of the function's parameters.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        ignore: Any = (),
        key: Callable[..., Any] | None = None,
        typed: bool = False,
        identity: Any = (),
        local: bool = False,
    ) -> None:
        self.function = function
        self.typed = typed
        self._key = key
        self._tokens_of = self._token if local else None
        self._tokens: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._identities: dict[int, tuple[Any, int]] = {}
        self._read_signature(function)
        ignored = self._chosen(ignore, "ignore")
        self._by_identity = self._chosen(identity, "identity")
        #: Whether `quick_key` identifies the same arguments.
        self.quick = not self._by_identity
        self._unkeyed = [name for name in ignored if name not in self.names]  # of **kwargs
        self._kept = [i for i, name in enumerate(self.names) if name not in ignored]
        self._counted = sum(1 << i for i in self._kept)
        self._whole = len(self._kept) == len(self.names) and not self._unkeyed
        kept = ["the key"] if key else [self._title(name) for name in self.names if name not in ignored]
        #: How many positional arguments of simple types can be the key without binding. More of them would
        #: look like a normal form, and so would others where something is left out.
        self.by_position: float = -1
        if self._whole and key is None and not self._by_identity:
            self.by_position = self._n_positional if self._rest is None else math.inf
        #: The number of arguments with which a call already is in normal form; -1: none.
        self.exact = -1
        if self._whole and key is None and len(self.names) == self._n_positional:
            self.exact = self._n_positional
        self._titles = kept
        self._positions = [0] if key else self._kept
        head = f"{'typed' if typed else 'equal'} {', '.join(kept)}\n"
        self._digest = blake2b(_FORMAT + head.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE)

    def _read_signature(self, function: Callable[..., Any]) -> None:
        parameters, self._loose = parameters_of(function)
        named = [p for p in parameters if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
        self._rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        self._extra = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
        self._defaults = [None if self._loose else p.default for p in named]
        self._n_positional = sum(p.kind is not p.KEYWORD_ONLY for p in named)
        self._index = {p.name: i for i, p in enumerate(named) if p.kind is not p.POSITIONAL_ONLY}
        self.names = [p.name for p in named] + [name for name in (self._rest, self._extra) if name]
        if self._loose:
            self.names.append(_GIVEN)

    def _title(self, name: str) -> str:
        return {self._rest: "*", self._extra: "**"}.get(name, "") + name

    def _chosen(self, names: Any, option: str) -> frozenset[str]:
        """Return the names of parameters in an option, after a check."""
        if isinstance(names, str | int):
            names = (names,)
        try:
            chosen = frozenset(self.names[name] if type(name) is int else name for name in names)
        except (IndexError, TypeError):
            chosen = frozenset({repr(names)})
        unknown = chosen.difference(self.names)
        if unknown and (self._extra is None or not all(isinstance(name, str) for name in unknown)):
            raise InvalidArgumentError(
                f"{option}={names!r}: {shown(self.function)} has no such parameter, but {self.names}"
            )
        return chosen

    # ------------------------------------------------------------------ normal form

    def values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the arguments of a call in normal form, without those ignored.

        Raises
        ------
        BadCallError
            If the function cannot be called like this.
        """
        if self._key is not None:
            return (self._key(*args, **kwargs),)
        values = self._bound(args, kwargs)
        return tuple(values) if self._whole else tuple([values[i] for i in self._kept])

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        n, n_positional = len(args), self._n_positional
        if n > n_positional and self._rest is None:
            raise BadCallError
        given = min(n, n_positional)
        values = [*args[:given], *self._defaults[given:]]
        extra = {}
        known = (1 << given) - 1
        for name, value in kwargs.items():
            i = self._index.get(name)
            if i is None:
                if self._extra is None:
                    raise BadCallError
                extra[name] = value
            elif i < given:
                raise BadCallError
            else:
                values[i] = value
                known |= 1 << i
        for value in values:
            if value is _EMPTY:
                raise BadCallError
        if self._rest is not None:
            values.append(args[n_positional:])
        if self._extra is not None:
            for name in self._unkeyed:
                extra.pop(name, None)
            values.append(extra)
        if self._loose:
            values.append(known & self._counted)
        return values

    # ------------------------------------------------------------------ keys

    def key(self, values: tuple[Any, ...]) -> CallKey:
        """Return the key of arguments in normal form: a digest of 40 hexadecimal digits.

        Raises
        ------
        InvalidArgumentError
            If an argument cannot be distinguished from others.
        """
        encoder = self._encoded(values) if self._by_identity else self._plainly_encoded(values)
        digest = self._digest.copy()
        digest.update(b"".join(encoder.out))
        return digest.hexdigest(), encoder.local

    def _plainly_encoded(self, values: tuple[Any, ...]) -> Encoder:
        encoder = Encoder(self.typed, self._tokens_of)
        try:
            for value in values:
                encoder.add(value)
        except (Unkeyable, RecursionError):
            return self._encoded(values)
        return encoder

    def _encoded(self, values: tuple[Any, ...]) -> Encoder:
        """Encode arguments of which some are identified otherwise than by content."""
        encoder = Encoder(self.typed, self._tokens_of)
        position = 0
        try:
            for value in values:
                self._add(encoder, value, position)
                position += 1
        except Unkeyable as error:
            raise self._refused(position, str(error)) from None
        except RecursionError:
            if _stack_is_deep():
                raise
            raise self._refused(position, "it contains itself, or is nested too deeply") from None
        return encoder

    def readable(self, values: tuple[Any, ...]) -> str:
        """Return arguments of a key as one line of text; equal arguments have equal text."""
        pairs = []
        for position, value in enumerate(values):
            encoder = Encoder(self.typed, self._tokens_of)
            self._add(encoder, value, position)
            if self._titles[position] != _GIVEN:
                pairs.append((self._titles[position], b"".join(encoder.out)))
        return readable(pairs)

    def named(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """Return arguments in normal form by name."""
        if self._key is not None:
            return {"key": values[0]}
        return {self.names[i]: value for i, value in zip(self._kept, values, strict=True)}

    def _add(self, encoder: Encoder, value: Any, position: int) -> None:
        if self._by_identity and self.names[self._positions[position]] in self._by_identity:
            encoder.out.append(b"@%d;" % self._identity(value))
            encoder.local = True
            return
        before = len(encoder.out)
        try:
            encoder.add(value)
        except Unkeyable:
            # An object() that means "nothing given" is identified by its parameter.
            i = self._positions[position]
            if self._key is not None or i >= len(self._defaults) or self._defaults[i] is not value:
                raise
            encoder.out[before:] = [b"="]

    def _refused(self, position: int, why: str) -> InvalidArgumentError:
        name = getattr(self.function, "__qualname__", repr(self.function))
        what = "what key= gave" if self._key else f"argument {self._titles[position]!r}"
        return InvalidArgumentError(f"{what} of {name} cannot be keyed: {why}")

    def _token(self, value: Any) -> int:
        """Return the number of an object that is identified by equality, as in a dict."""
        try:
            return self._tokens.setdefault(value, next(_numbers))
        except TypeError:
            raise Unkeyable(
                f"{type(value).__qualname__} objects cannot be hashed and referred to weakly: give the class "
                "a method __memo_key__, or leave the argument out by ignore="
            ) from None

    def _identity(self, value: Any) -> int:
        """Return the number of one object; keep it alive where it cannot be referred to weakly."""
        import weakref  # noqa: PLC0415  (only for arguments by identity)

        known = self._identities.get(id(value))
        if known is None:
            address = id(value)
            number = next(_numbers)
            try:
                keeper: Any = weakref.ref(value, lambda _: self._identities.pop(address, None))
            except TypeError:
                keeper = value
            known = self._identities.setdefault(address, (keeper, number))
        return known[1]


def parameters_of(function: Callable[..., Any]) -> tuple[list[inspect.Parameter], bool]:
    """Return the parameters of a function, and whether they are only those of what a decorator wrapped.

    Such a decorator takes any arguments: names and positions are those of the function below, but the
    decorator may supply missing ones, so the defaults of the function say nothing.
    """
    any_kind = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # some C functions have no signature
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [inspect.Parameter(n, k) for n, k in zip(("args", "kwargs"), kinds, strict=True)], False
    if not hasattr(function, "__wrapped__") or not hasattr(function, "__code__"):
        return parameters, False
    own = list(inspect.signature(function, follow_wrapped=False).parameters.values())
    if any_kind.issuperset(parameter.kind for parameter in own):
        return parameters, True
    return own, False


_numbers = itertools.count(1)


def _stack_is_deep() -> bool:
    """Return whether the caller came near the limit of recursion, rather than a nested argument."""
    frame, depth = sys._getframe(), 0  # noqa: SLF001
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth > sys.getrecursionlimit() // 4
