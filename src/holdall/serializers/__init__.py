"""How values become data: one module per format, found by name, by suffix or by the methods of an object.

Importing this package imports no format: each is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard, TypeVar

from holdall._lazy import on_first_use
from holdall._shown import shown
from holdall.abc import Serializer
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.serializers._table import ALIASES, TABLE, Entry

if TYPE_CHECKING:
    from holdall.serializers.adapt import AdaptedSerializer
    from holdall.serializers.compressed import (
        Bz2Serializer,
        CompressedSerializer,
        GzipSerializer,
        Lz4Serializer,
        XzSerializer,
        ZstdSerializer,
    )
    from holdall.serializers.csv_ import CsvSerializer
    from holdall.serializers.frames import FeatherSerializer, FrameCsvSerializer, ParquetSerializer
    from holdall.serializers.hdf5 import Hdf5Serializer, WithAttributes
    from holdall.serializers.ini import IniSerializer
    from holdall.serializers.json_ import JsonSerializer
    from holdall.serializers.layers import Base64Serializer, ChecksumSerializer, LayerSerializer
    from holdall.serializers.line import LineSerializer
    from holdall.serializers.media import AudioSerializer, ImageSerializer, Sound, WaveSerializer
    from holdall.serializers.npy import NpySerializer, NpzSerializer
    from holdall.serializers.packed import CborSerializer, MsgpackSerializer, OrjsonSerializer
    from holdall.serializers.pickle_ import PickleSerializer
    from holdall.serializers.raw import BytesSerializer
    from holdall.serializers.sealed import AesGcmSerializer, FernetSerializer, HmacSerializer
    from holdall.serializers.suffix import BySuffix, by_suffix
    from holdall.serializers.text import TextSerializer
    from holdall.serializers.toml_ import TomlSerializer
    from holdall.serializers.workbook import XlsxSerializer
    from holdall.serializers.yaml_ import YamlSerializer

__all__ = [
    "AdaptedSerializer",
    "AesGcmSerializer",
    "AudioSerializer",
    "Base64Serializer",
    "BySuffix",
    "BytesSerializer",
    "Bz2Serializer",
    "CborSerializer",
    "ChecksumSerializer",
    "CompressedSerializer",
    "CsvSerializer",
    "FeatherSerializer",
    "FernetSerializer",
    "FrameCsvSerializer",
    "GzipSerializer",
    "Hdf5Serializer",
    "HmacSerializer",
    "ImageSerializer",
    "IniSerializer",
    "JsonSerializer",
    "LayerSerializer",
    "LineSerializer",
    "Lz4Serializer",
    "MsgpackSerializer",
    "NpySerializer",
    "NpzSerializer",
    "OptionSerializer",
    "OrjsonSerializer",
    "ParquetSerializer",
    "PickleSerializer",
    "Sound",
    "TextSerializer",
    "TomlSerializer",
    "WaveSerializer",
    "WithAttributes",
    "XlsxSerializer",
    "XzSerializer",
    "YamlSerializer",
    "ZstdSerializer",
    "by_suffix",
    "get_serializer",
    "register",
    "serializer_for_suffix",
]

V = TypeVar("V")


class OptionSerializer(Serializer[V]):
    """A serializer defined by its options, which its repr shows and which it is compared and hashed by.

    A subclass lists in `options` the names of the attributes that its constructor sets.

    Examples
    --------
    >>> get_serializer("text")
    TextSerializer(encoding='utf-8', errors='strict', newline=None)
    >>> get_serializer("text") == get_serializer("text")
    True
    """

    #: Names of the attributes by which two serializers of one class are compared.
    options: ClassVar[tuple[str, ...]] = ()

    def _key(self) -> tuple[Any, ...]:
        return (type(self), *(getattr(self, name) for name in self.options))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OptionSerializer) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name in self.options
            # affects only speed, so shown only where it was set
            if name != "stream_from" or self.stream_from != type(self).stream_from
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


# Module by class, of the names that can be imported from this package without loading the other formats.
_LAZY = {
    "AdaptedSerializer": "holdall.serializers.adapt",
    "CompressedSerializer": "holdall.serializers.compressed",
    "LayerSerializer": "holdall.serializers.layers",
    "Sound": "holdall.serializers.media",
    "WithAttributes": "holdall.serializers.hdf5",
    "by_suffix": "holdall.serializers.suffix",
    **{str(entry.target).partition(":")[2]: str(entry.target).partition(":")[0] for entry in TABLE.values()},
}

# A name can come from metadata, so its nesting is limited.
_MAX_LAYERS = 8

__getattr__, __dir__ = on_first_use(__name__, _LAZY)


def register(
    name: str,
    target: str | type[Serializer[Any]],
    *,
    suffix: str,
    extra: str | None = None,
) -> None:
    """Register a serializer under a name and a file suffix.

    Parameters
    ----------
    name
        The name that `get_serializer` then accepts.
    target
        The class, or ``"module:Class"``, which is imported on first use.
    suffix
        File suffix with its dot. Where several names share one, it selects the one registered first.
    extra
        The extra of holdall that installs the packages it needs, for the message when they are missing.

    Raises
    ------
    InvalidArgumentError
        If the name is already registered for something else, or an argument is malformed.

    Examples
    --------
    >>> register("json", "holdall.serializers.json_:JsonSerializer", suffix=".json")
    >>> register("json", "my.module:Json", suffix=".json")
    Traceback (most recent call last):
    ...
    holdall.errors.InvalidArgumentError: serializer 'json' is registered already ...
    """
    if not _is_text(name):
        raise InvalidArgumentError(f"the name of a serializer is a text that is not empty, got {name!r}")
    if not (all(target.partition(":")) if isinstance(target, str) else _is_serializer_class(target)):
        raise InvalidArgumentError(
            f"serializer {name!r}: the target is 'module:Class' or a subclass of Serializer, got {target!r}",
        )
    if not _is_text(suffix) or not suffix.startswith(".") or suffix == ".":
        raise InvalidArgumentError(f"serializer {name!r}: a suffix is like '.json', got {suffix!r}")
    known = TABLE.setdefault(name, Entry(target, suffix, extra))
    if _path(known.target) != _path(target):
        raise InvalidArgumentError(
            f"serializer {name!r} is registered already as {_path(known.target)}: "
            f"choose another name for {_path(target)}",
        )


def get_serializer(spec: Any = None) -> Serializer[Any]:
    """Return the serializer described by a specification.

    Parameters
    ----------
    spec
        None for pickle; a registered name, optionally with layers over it, as ``"json.gz"``,
        ``"pickle.zst.hmac"`` or ``"json | base64"``; a `Serializer` or a subclass of it; any module or object
        that has ``dumps`` and ``loads``, or ``dump`` and ``load``; or a pair of functions that do the same.

    Returns
    -------
    Serializer
        The given serializer itself, or a new one with default options.

    Raises
    ------
    InvalidArgumentError
        If it is none of these.
    UnsupportedError
        If a package that the serializer needs is not installed.

    Examples
    --------
    >>> get_serializer()
    PickleSerializer(protocol=5)
    >>> get_serializer("json | gzip").name
    'json.gz'
    >>> get_serializer("jsn")
    Traceback (most recent call last):
    ...
    holdall.errors.InvalidArgumentError: no serializer is called 'jsn', did you mean 'json'? ...
    """
    if spec is None:
        spec = "pickle"
    if isinstance(spec, Serializer):
        return spec
    if isinstance(spec, str):
        return _named(spec)
    if _is_serializer_class(spec):
        try:
            made: Serializer[Any] = spec()
        except TypeError as error:
            raise InvalidArgumentError(
                f"{spec.__name__} cannot be made without arguments ({error}): give an instance of it",
            ) from error
        return made
    if isinstance(spec, tuple) and len(spec) == 2 and all(map(callable, spec)):
        from holdall.serializers.adapt import FunctionsSerializer  # noqa: PLC0415  loaded when needed

        return FunctionsSerializer(*spec)
    for writer, reader in (("dumps", "loads"), ("dump", "load")):
        if callable(getattr(spec, writer, None)) and callable(getattr(spec, reader, None)):
            from holdall.serializers.adapt import AdaptedSerializer  # noqa: PLC0415  loaded when needed

            return AdaptedSerializer(spec)
    raise InvalidArgumentError(
        f"a serializer is one of the names {_names()}, a Serializer, a module or object with dumps and "
        f"loads or with dump and load, or a pair of functions; got {type(spec).__name__}: {shown(spec, 100)}",
    )


def serializer_for_suffix(suffix: str) -> Serializer[Any]:
    """Return the serializer for files with a suffix.

    Parameters
    ----------
    suffix
        The suffix, in upper or lower case, with or without its dot.

    Raises
    ------
    InvalidArgumentError
        If no serializer has that suffix.
    UnsupportedError
        If a package that the serializer needs is not installed.

    Examples
    --------
    >>> serializer_for_suffix("JSON").name
    'json'
    """
    if isinstance(suffix, str):
        wanted = "." + suffix.lower().removeprefix(".")
        table = list(TABLE.items())
        for name, entry in table:
            if entry.suffix.lower() == wanted and not entry.layer:
                return _named(name)
        for name, entry in table:
            if entry.layer and wanted.endswith(entry.suffix) and wanted.count(".") > 1:
                below = serializer_for_suffix(wanted.removesuffix(entry.suffix))
                return over(name, below)
    known = ", ".join(sorted({entry.suffix for entry in list(TABLE.values()) if not entry.layer} - {""}))
    raise InvalidArgumentError(f"no serializer writes files with suffix {suffix!r}; known are {known}")


def _named(name: str) -> Serializer[Any]:
    """Make the serializer of a name, with the layers in the name."""
    base, layers = name, list[str]()
    while base not in TABLE:
        below, _, layer = base.replace("|", ".").rpartition(".")
        layer = ALIASES.get(layer.strip(), layer.strip())
        if layer not in TABLE or not TABLE[layer].layer or len(layers) == _MAX_LAYERS:
            raise InvalidArgumentError(_unknown(name, base))
        base = below.strip()
        layers.append(layer)
    if TABLE[base].layer:
        raise InvalidArgumentError(
            f"{base!r} is a layer over another serializer: say which, as in 'json.{base}'"
        )
    made = _class(base)()
    for layer in reversed(layers):
        made = over(layer, made)
    return made


def over(layer: str, inner: Serializer[Any]) -> Serializer[Any]:
    """Return a layer of a known name over a serializer."""
    return _class(layer)(inner)  # type: ignore[call-arg]


def _class(name: str) -> type[Serializer[Any]]:
    """Import the class that the table has for a name."""
    entry = TABLE[name]
    if not isinstance(entry.target, str):
        return entry.target
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
    except ImportError as error:
        remedy = f'pip install "holdall[{entry.extra}]"' if entry.extra else f"install {error.name}"
        raise UnsupportedError(f"serializer {name!r} cannot be loaded here ({error}): {remedy}") from error


def _unknown(name: str, part: str) -> str:
    """Return the message that there is no such serializer or layer, with those that exist."""
    from difflib import get_close_matches  # noqa: PLC0415  only needed for this message

    below, _, layer = (text.strip() for text in part.replace("|", ".").rpartition("."))
    if below in TABLE and not TABLE[below].layer and name.count(".") + name.count("|") <= _MAX_LAYERS:
        kind, wrong, known = "layer", layer, [*ALIASES, *(n for n, entry in TABLE.items() if entry.layer)]
    else:
        kind, wrong, known = "serializer", name, [n for n, entry in TABLE.items() if not entry.layer]
    close = get_close_matches(wrong.lower(), known, 1)
    hint = f", did you mean {close[0]!r}? Known" if close else "; known"
    where = f" in {shown(name, 100)}" if kind == "layer" else ""
    return f"no {kind} is called {shown(wrong, 100)}{where}{hint} are {', '.join(map(repr, sorted(known)))}"


def _is_text(given: Any) -> bool:
    return isinstance(given, str) and given != ""


def _is_serializer_class(given: Any) -> TypeGuard[type[Serializer[Any]]]:
    return isinstance(given, type) and issubclass(given, Serializer)


def _names() -> str:
    return ", ".join(sorted(repr(name) for name, entry in TABLE.items() if not entry.layer))


def _path(target: str | type) -> str:
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"
