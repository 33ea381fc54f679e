"""Names of hashables made of literals, with their types."""

import re
import sys
from collections.abc import Callable, Hashable, Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Any

from holdall._shown import shown
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._standard import TAGS, tag_of, text_of, value_of
from holdall.keys._value import FrozenCodec, named, text_option

# CPython reads back no more digits by default.
_BIG = 10**4300
# The parser of CPython fails at 200 brackets; a frozenset takes two.
_DEPTH = 40
_SMALL_INT = re.compile(r"!(-?[1-9][0-9]{0,17}|0)")
_STRING_ESCAPE = re.compile(r"[\\'\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LITERALS = frozenset({str, int, float, complex, bool, bytes, tuple, frozenset, type(None)})
_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = ("True", "False", "None", "nan", "inf", "frozenset", "complex", "type")
# The class that cachetools puts between the positional and the keyword arguments of a call.
_MARK = "cachetools.keys._HashedTuple"

_Conversion = tuple[type, Callable[[Any], Any], Callable[[str], Any]]


def _quote(text: str) -> str:
    """Quote text as repr does, but independent of the Unicode tables of this Python."""
    return repr(text) if text.isascii() else f"'{_STRING_ESCAPE.sub(_backslash, text)}'"


def _backslash(match: re.Match[str]) -> str:
    char = match[0]
    return f"\\{char}" if char in "\\'" else ascii(char)[1:-1]


class AnyKeys(FrozenCodec[Any]):
    """Hashables made of literals, with their types: the default of databases.

    Keys are `str`, `int`, `float`, `complex`, `bool`, `bytes`, `None`, tuples and frozensets of these, and
    the classes of these; also `date`, `datetime`, `time`, `UUID`, `Decimal`, `Path` and members of enums that
    can be imported. Members are listed where their module is loaded, since an id imports nothing.

    Text is its own id unless it begins with "!"; all else is "!" and a literal. ``1``, ``True``, ``1.0``,
    ``"1"`` and ``("1",)`` never share an id, and come back with their types. Instances of subclasses are
    refused, since they would come back as something else. The exception is a tuple whose class adds no fields
    or methods, if it equals the plain tuple.

    Parameters
    ----------
    types
        More types of keys: a mapping of tag to class, if ``str(value)`` and ``cls(text)`` convert it, or of
        tag to ``(class, to_text, from_text)``.

    Raises
    ------
    InvalidArgumentError
        If a tag is not an identifier or is taken, or a class is already accepted.

    Notes
    -----
    Threads and processes: immutable, and the same for any hash seed. Cost: 0.1 µs for `str`, under 1 µs for
    small `int`, 10 to 50 µs to decode others. Nothing is ever evaluated. The limits are 40 levels of nesting
    and 4300 digits of an integer.

    Keys of `cachetools` are tuples of arguments, with a class of its own before keyword arguments, and in
    some versions of a tuple class as above. All have ids; one with keyword arguments is listed where
    `cachetools` is installed.

    Examples
    --------
    >>> keys = AnyKeys()
    >>> [keys.encode(key) for key in ("1", 1, True, ("x", 1.5), frozenset({b"b", None}), "!")]
    ['1', '!1', '!True', "!('x', 1.5)", "!frozenset({None, b'b'})", "!'!'"]
    >>> keys.decode("!('x', 1.5)"), keys.decode("!__import__('os')")
    (('x', 1.5), NOT_MINE)
    >>> import datetime, fractions
    >>> keys.encode(datetime.date(2024, 2, 29))
    "!date('2024-02-29')"
    >>> AnyKeys({"fraction": fractions.Fraction}).encode(fractions.Fraction(1, 3))
    "!fraction('1/3')"
    """

    #: The additional types: tag to class and its two conversions.
    types: Mapping[str, _Conversion]
    doubtful = "!"
    _tags: Mapping[type, str]

    def __init__(self, types: Mapping[str, type | _Conversion] | None = None) -> None:
        checked = {tag: _conversion(tag, given) for tag, given in sorted((types or {}).items())}
        tags = {conversion[0]: tag for tag, conversion in checked.items()}
        if len(tags) < len(checked):
            raise InvalidArgumentError(f"each class takes one tag, got {shown(types)}: remove one of them")
        self._freeze(options={"types": checked} if checked else {}, types=checked, _tags=tags)

    def __repr__(self) -> str:
        tags = ", ".join(f"{tag!r}: {named(given[0])}" for tag, given in self.types.items())
        return f"AnyKeys(types={{{tags}}})" if tags else "AnyKeys()"

    def encode(self, key: Hashable) -> str:  # docstring inherited
        if type(key) is str and not key.startswith("!"):
            return key
        return "!" + self._text(key, key, 0)

    def decode(self, id: str) -> Any:  # docstring inherited
        try:
            if not id.startswith("!"):
                return id
        except (AttributeError, TypeError):  # the ids of a plain mapping may be any object
            return NOT_MINE
        small = _SMALL_INT.fullmatch(id)
        return int(small[1]) if small else self._parse(id)

    def decode_many(self, ids: list[str]) -> list[Any]:  # docstring inherited
        try:
            if "!" not in "".join(ids):  # all are plain text
                return ids
        except TypeError:  # the ids of a plain mapping may be any object
            pass
        return super().decode_many(ids)

    def id_prefix(self, prefix: Any) -> str:  # docstring inherited
        if type(prefix) is str and not prefix.startswith("!"):
            return prefix + "/"
        if type(prefix) is tuple:
            return "!(" + "".join(f"{self._text(part, prefix, 1)}, " for part in prefix)
        return ""

    def _text(self, value: Any, key: Any, depth: int) -> str:
        """Return a value, or a part of the key, as a canonical literal."""
        kind = type(value)
        if kind is str:
            return _quote(value)
        if kind is int and not -_BIG < value < _BIG:
            raise InvalidKeyError(f"an int of over 4300 digits in {shown(key)}: use its hash as the key")
        if kind in {int, float, bool, bytes, type(None)}:
            try:
                return repr(value)
            except ValueError as error:  # the limit of digits was lowered
                raise InvalidKeyError(f"key {shown(key)} has too many digits: {error}") from error
        if kind is complex:  # its repr loses the signs of zeros
            return f"complex({value.real!r}, {value.imag!r})"
        if kind is tuple or kind is frozenset:
            if depth >= _DEPTH:
                raise InvalidKeyError(f"key {shown(key)} nests over {_DEPTH} levels deep: make it flatter")
            parts = [self._text(part, key, depth + 1) for part in value]
            if kind is tuple:
                return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
            return f"frozenset({{{', '.join(sorted(parts))}}})" if parts else "frozenset()"
        if kind in self._tags:
            return self._tagged(value, key)
        if (tag := tag_of(value)) and tag not in self.types:
            return f"{tag}({_quote(text_of(value, tag))})"
        if isinstance(value, tuple) and _adds_nothing(value):
            return self._text(tuple(value), key, depth)
        if kind is type and (text := self._class(value)):
            return f"type({text})"
        raise InvalidKeyError(
            f"no name for {named(kind)} in key {shown(key)}: use str, numbers, bytes, None, dates, UUIDs, "
            "paths, members of enums, tuples or frozensets of exactly these types, or "
            f"AnyKeys(types={{'tag': {kind.__name__}}})",
        )

    def _class(self, value: type) -> str:
        """Return the name of a class that keys may have, "" for others."""
        if value in _LITERALS:
            return f"'{value.__name__}'"
        if value in self._tags:
            return self._tags[value]
        module, _, name = _MARK.rpartition(".")
        return f"'{_MARK}'" if value is getattr(sys.modules.get(module), name, None) else ""

    def _tagged(self, value: Any, key: Any) -> str:
        """Return the text of a value of an additional type, if it can be read back."""
        tag = self._tags[type(value)]
        kind, to_text, from_text = self.types[tag]
        try:
            text = to_text(value)
            back = from_text(text)
            # A value that differs from itself, such as a NaN, is identified by its text alone.
            same = type(back) is kind and to_text(back) == text and (back == value or value != value)  # noqa: PLR0124
        except Exception as error:
            raise InvalidKeyError(f"{tag!r} fails to convert key {shown(key)}: {error}") from error
        if type(text) is not str or not same:
            raise InvalidKeyError(
                f"key {shown(key)} does not come back from the text of {tag!r}: give that tag another "
                "(class, to_text, from_text)",
            )
        return f"{tag}({_quote(text)})"

    def _parse(self, id: str) -> Any:
        """Decode an id that is not plain text."""
        # Only our own tokens reach the parser: it warns of others, and nests without limit.
        if not re.fullmatch(self._tokens(), id):
            return NOT_MINE
        import ast  # noqa: PLC0415  # costs milliseconds, and most stores never need it

        try:
            key = self._value(ast.parse(id[1:], mode="eval").body)
            return key if self.encode(key) == id else NOT_MINE
        except Exception:  # also MemoryError, RecursionError, any error of `from_text`
            return NOT_MINE

    def _tokens(self) -> str:
        escape = r"\\(?:[\\'\"nrt]|x[0-9a-f]{2}"
        plain = r"\x00-\x1f\ud800-\udfff\\"
        strings = [
            rf"{mark}{quote}(?:[^{quote}{plain}]|{escape}{more}))*+{quote}"
            for mark, more in (("", "|u[0-9a-f]{4}"), ("b", ""))
            for quote in "'\""
        ]
        number = r"-?(?:\d[\d.]*+(?:e[+-]?\d+)?|inf)\b"
        words = rf"(?:{'|'.join([*_WORDS, *TAGS, *self.types])})\b"
        return rf"!(?:{'|'.join([*strings, number, words])}|, |[(){{}},])*+"

    def _value(self, node: Any) -> Any:
        """Build the value of a syntax tree; raise for anything unexpected."""
        kind = type(node).__name__
        if kind == "Constant":
            return node.value
        if kind == "Tuple":
            return tuple(self._value(part) for part in node.elts)
        if kind == "UnaryOp":
            return -self._value(node.operand)
        if kind == "Name" and node.id in {"nan", "inf"}:
            return float(node.id)
        if kind == "Call" and not node.keywords:
            name, args = node.func.id, node.args
            if name == "frozenset":
                return frozenset(self._value(part) for part in (args[0].elts if args else ()))
            if name == "complex":
                return complex(*(self._value(part) for part in args))
            if name == "type":
                named_by_tag = type(args[0]).__name__ == "Name"
                return self.types[args[0].id][0] if named_by_tag else _class_named(args[0].value)
            if name not in self.types and name in TAGS:
                return value_of(args[0].value, name)
            return self.types[name][2](args[0].value)
        raise ValueError(kind)


def _adds_nothing(value: tuple[Any, ...]) -> bool:
    """Return whether a tuple of a subclass is a plain tuple in all but its class."""
    kind, plain = type(value), tuple(value)
    names = {name for cls in kind.__mro__ if cls not in tuple.__mro__ for name in vars(cls)}
    names.update(getattr(value, "__dict__", ()))
    if "_fields" in names or not all(name.startswith("_") for name in names):
        return False
    try:
        return value == plain and plain == value and hash(value) == hash(plain)
    except Exception:  # a comparison that raises: not a plain tuple
        return False


def _class_named(name: str) -> type:
    """Return the class of a name, among the few that keys may have."""
    if name == _MARK:
        module, _, own = name.rpartition(".")
        return vars(import_module(module))[own]  # type: ignore[no-any-return]
    return next(cls for cls in _LITERALS if cls.__name__ == name)


def _conversion(tag: str, given: Any) -> _Conversion:
    """Check one of the types given to `AnyKeys`."""
    kind, *functions = given if isinstance(given, tuple) else (given, str, given)
    if not _TAG.fullmatch(text_option(tag, "a tag of AnyKeys")) or iskeyword(tag) or tag in _WORDS:
        raise InvalidArgumentError(f"tag {shown(tag)} is no identifier, or is taken: choose another one")
    if not isinstance(kind, type) or len(functions) != 2 or not all(map(callable, functions)):
        raise InvalidArgumentError(
            f"tag {tag!r} takes a class or (class, to_text, from_text), got {shown(given)}",
        )
    if kind in _LITERALS:
        raise InvalidArgumentError(f"{kind.__name__} is accepted as it is: remove tag {tag!r}")
    return kind, functions[0], functions[1]
