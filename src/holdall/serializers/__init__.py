"""How values are written: one module a format, found by name, by suffix or by what an object can do.

Importing this package imports no format: each is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeGuard, TypeVar

from holdall.abc import Serializer
from holdall.errors import InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from holdall.serializers.adapt import AdaptedSerializer
    from holdall.serializers.csv_ import CsvSerializer
    from holdall.serializers.hdf5 import Hdf5Serializer, WithAttributes
    from holdall.serializers.ini import IniSerializer
    from holdall.serializers.json_ import JsonSerializer
    from holdall.serializers.line import LineSerializer
    from holdall.serializers.npy import NpySerializer, NpzSerializer
    from holdall.serializers.pickle_ import PickleSerializer
    from holdall.serializers.raw import BytesSerializer
    from holdall.serializers.suffix import BySuffix, GzipSerializer, by_suffix
    from holdall.serializers.tables import ParquetSerializer, XlsxSerializer
    from holdall.serializers.text import TextSerializer
    from holdall.serializers.toml_ import TomlSerializer
    from holdall.serializers.yaml_ import YamlSerializer

__all__ = [
    "AdaptedSerializer",
    "BySuffix",
    "BytesSerializer",
    "CsvSerializer",
    "GzipSerializer",
    "Hdf5Serializer",
    "IniSerializer",
    "JsonSerializer",
    "LineSerializer",
    "NpySerializer",
    "NpzSerializer",
    "OptionSerializer",
    "ParquetSerializer",
    "PickleSerializer",
    "TextSerializer",
    "TomlSerializer",
    "WithAttributes",
    "XlsxSerializer",
    "YamlSerializer",
    "by_suffix",
    "get_serializer",
    "register",
    "serializer_for_suffix",
]

V = TypeVar("V")


class OptionSerializer(Serializer[V]):
    """A serializer that is known by its options: it shows, compares and hashes as they do.

    A subclass names in `options` the attributes that its constructor sets.

    Examples
    --------
    >>> get_serializer("text")
    TextSerializer(encoding='utf-8', errors='strict', newline=None)
    >>> get_serializer("text") == get_serializer("text")
    True
    """

    #: Names of the attributes that make two serializers of one class equal or not.
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
            # a matter of speed only, so not worth showing unless somebody chose it
            if name != "stream_from" or self.stream_from != type(self).stream_from
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


class _Entry(NamedTuple):
    target: str | type[Serializer[Any]]
    suffix: str
    extra: str | None = None


_REGISTRY: dict[str, _Entry] = {
    "pickle": _Entry("holdall.serializers.pickle_:PickleSerializer", ".pkl"),
    "json": _Entry("holdall.serializers.json_:JsonSerializer", ".json"),
    "text": _Entry("holdall.serializers.text:TextSerializer", ".txt"),
    "bytes": _Entry("holdall.serializers.raw:BytesSerializer", ".bin"),
    "npy": _Entry("holdall.serializers.npy:NpySerializer", ".npy", "arrays"),
    "line": _Entry("holdall.serializers.line:LineSerializer", ".line"),
    "npz": _Entry("holdall.serializers.npy:NpzSerializer", ".npz", "arrays"),
    "hdf5": _Entry("holdall.serializers.hdf5:Hdf5Serializer", ".h5", "arrays"),
    "csv": _Entry("holdall.serializers.csv_:CsvSerializer", ".csv"),
    "toml": _Entry("holdall.serializers.toml_:TomlSerializer", ".toml", "toml"),
    "ini": _Entry("holdall.serializers.ini:IniSerializer", ".ini"),
    "yaml": _Entry("holdall.serializers.yaml_:YamlSerializer", ".yaml", "yaml"),
    "parquet": _Entry("holdall.serializers.tables:ParquetSerializer", ".parquet", "parquet"),
    "xlsx": _Entry("holdall.serializers.tables:XlsxSerializer", ".xlsx", "xlsx"),
    "by_suffix": _Entry("holdall.serializers.suffix:BySuffix", ""),
}

# What can be imported from this package without loading the other formats.
_LAZY = {
    "AdaptedSerializer": "adapt",
    "BySuffix": "suffix",
    "BytesSerializer": "raw",
    "CsvSerializer": "csv_",
    "GzipSerializer": "suffix",
    "Hdf5Serializer": "hdf5",
    "IniSerializer": "ini",
    "JsonSerializer": "json_",
    "LineSerializer": "line",
    "NpySerializer": "npy",
    "NpzSerializer": "npy",
    "ParquetSerializer": "tables",
    "PickleSerializer": "pickle_",
    "TextSerializer": "text",
    "TomlSerializer": "toml_",
    "WithAttributes": "hdf5",
    "XlsxSerializer": "tables",
    "YamlSerializer": "yaml_",
    "by_suffix": "suffix",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"holdall.serializers.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def register(
    name: str,
    target: str | type[Serializer[Any]],
    *,
    suffix: str,
    extra: str | None = None,
) -> None:
    """Make a serializer known by a name and a file suffix.

    Parameters
    ----------
    name
        The name that `get_serializer` then accepts.
    target
        The class, or ``"module:Class"``, which is imported when it is first needed.
    suffix
        File suffix with its dot. Where several names share one, the first registered is found by it.
    extra
        The extra of holdall that brings the packages it needs, for the message when they are missing.

    Raises
    ------
    InvalidArgumentError
        If the name stands for something else already, or an argument is malformed.

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
    known = _REGISTRY.setdefault(name, _Entry(target, suffix, extra))
    if _path(known.target) != _path(target):
        raise InvalidArgumentError(
            f"serializer {name!r} is registered already as {_path(known.target)}: "
            f"choose another name for {_path(target)}",
        )


def get_serializer(spec: Any = None) -> Serializer[Any]:
    """Give the serializer that is meant.

    Parameters
    ----------
    spec
        None for pickle; a registered name; a `Serializer` or a subclass of it; or any module or object
        that has ``dumps`` and ``loads``, or ``dump`` and ``load``.

    Returns
    -------
    Serializer
        The serializer itself if one was given, else a new one with default options.

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
    for writer, reader in (("dumps", "loads"), ("dump", "load")):
        if callable(getattr(spec, writer, None)) and callable(getattr(spec, reader, None)):
            from holdall.serializers.adapt import AdaptedSerializer  # noqa: PLC0415  loaded when needed

            return AdaptedSerializer(spec)
    raise InvalidArgumentError(
        f"a serializer is one of the names {_names()}, a Serializer, or a module or object with dumps and "
        f"loads or with dump and load; got {type(spec).__name__}: {spec!r:.100}",
    )


def serializer_for_suffix(suffix: str) -> Serializer[Any]:
    """Give the serializer that writes files with a suffix.

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
        for name, entry in list(_REGISTRY.items()):
            if entry.suffix.lower() == wanted:
                return _named(name)
    known = ", ".join(sorted({entry.suffix for entry in list(_REGISTRY.values())} - {""}))
    raise InvalidArgumentError(f"no serializer writes files with suffix {suffix!r}; known are {known}")


def _named(name: str) -> Serializer[Any]:
    entry = _REGISTRY.get(name)
    if entry is None:
        from difflib import get_close_matches  # noqa: PLC0415  only needed for this message

        close = get_close_matches(name.lower(), _REGISTRY, 1)
        hint = f", did you mean {close[0]!r}?" if close else ";"
        raise InvalidArgumentError(f"no serializer is called {name!r}{hint} Known are {_names()}")
    if not isinstance(entry.target, str):
        return entry.target()
    module, _, attribute = entry.target.partition(":")
    try:
        cls: type[Serializer[Any]] = getattr(import_module(module), attribute)
    except ImportError as error:
        remedy = f'pip install "holdall[{entry.extra}]"' if entry.extra else f"install {error.name}"
        raise UnsupportedError(f"serializer {name!r} cannot be loaded here ({error}): {remedy}") from error
    return cls()


def _is_text(given: Any) -> bool:
    return isinstance(given, str) and given != ""


def _is_serializer_class(given: Any) -> TypeGuard[type[Serializer[Any]]]:
    return isinstance(given, type) and issubclass(given, Serializer)


def _names() -> str:
    return ", ".join(map(repr, sorted(_REGISTRY)))


def _path(target: str | type) -> str:
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"
