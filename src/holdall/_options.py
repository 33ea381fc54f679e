"""Checks of options: paths and names of options, with errors that suggest what was meant."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from holdall._shown import PATH, shown
from holdall.errors import InvalidArgumentError, UnsupportedError

__all__ = [
    "DataFormat",
    "Durability",
    "Fallback",
    "MmapMode",
    "check_bytes",
    "check_encoding",
    "checked_path",
    "given",
    "is_unicode",
    "not_imported",
    "options_of",
    "places_taken",
    "refuse_text",
    "unknown_option",
]

#: What a returned write survives: the end of the process, or also a power failure.
Durability: TypeAlias = Literal["process", "power"]
#: How files of arrays are mapped into memory.
MmapMode: TypeAlias = Literal["r", "c"]
#: The format of arrays beside an archive.
DataFormat: TypeAlias = Literal["npy", "npz", "hdf5"]
#: What a `Value` or `ScriptStore` does where the script cannot keep values.
Fallback: TypeAlias = Literal["error", "memory", "sidecar"]

_TEMPLATE = r"\{[^{}/]*\}[^/]*\.\w+$"  # as in "folder/{name}.txt"
_VAR_KEYWORDS = 0x08  # the flag of a function that takes any keyword


def check_encoding(encoding: str) -> str:
    """Return the name of a text encoding; raise `InvalidArgumentError` if Python does not know it."""
    try:
        "a".encode(encoding)
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"encoding={encoding!r}: Python knows no such text encoding ({error})"
        ) from error
    return encoding


def check_bytes(id: Any, data: Any) -> None:
    """Raise `InvalidArgumentError` unless data are bytes, or a list of such pieces."""
    for part in data if type(data) is list else [data]:
        try:
            memoryview(part)
        except TypeError:
            raise InvalidArgumentError(
                f"the data for {shown(id)} are {type(data).__name__}, not bytes: give the store a serializer",
            ) from None


def is_unicode(given: Any) -> bool:
    """Return whether something is text that has UTF-8: no half of a pair of surrogates is in it."""
    try:
        return isinstance(given, str) and given.encode() is not None
    except UnicodeEncodeError:
        return False


def checked_path(path: Any, kind: str) -> str:
    """Return a path as text.

    Parameters
    ----------
    path
        Text or a `Path`.
    kind
        What it should be: "file" or "folder".

    Raises
    ------
    InvalidArgumentError
        If it is not a path.
    """
    given = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if isinstance(path, str) and isinstance(given, str):
        given = _as_meant(given, kind)
    if not isinstance(given, str) or "\0" in given or not _has_bytes(given):
        if not isinstance(given, str):
            why = ""
        else:
            why = ", which has " + ("a NUL character" if "\0" in given else "a character that no path has")
        raise InvalidArgumentError(
            f"path must be the name of a {kind}, as text or a Path, got {shown(path, PATH)}{why}"
        )
    return given


def _has_bytes(path: str) -> bool:
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair of surrogates, which no file system has
        return False
    return True


def _as_meant(path: str, kind: str) -> str:
    """Expand ``~``; raise for text that probably was not meant as a path."""
    if not path:
        raise InvalidArgumentError(f"path is empty: '.' is the current folder, None a temporary {kind}")
    if "://" in path:
        raise InvalidArgumentError(
            f"{shown(path, PATH)} is an address, and no path of a {kind}: open it by holdall.open",
        )
    if "{" in path and re.search(_TEMPLATE, path) and not os.path.exists(path):
        start = path.index("{")
        folder, _, keys = path[:start].rpartition("/")
        keys += path[start:]
        raise InvalidArgumentError(
            f"{shown(path, PATH)} has fields of a template: give the folder alone, and the rest as keys=, as "
            f"in FileDirStore({shown(folder or '.', 100)}, keys={shown(keys, 100)})",
        )
    return os.path.expanduser(path)


# The modules that extras bring: their packages, and the extras.
_BROUGHT: Final = {
    "boto3": ("boto3", "s3"),
    "botocore": ("boto3", "s3"),
    "cbor2": ("cbor2", "cbor"),
    "cryptography": ("cryptography", "crypto"),
    "fsspec": ("fsspec", "fsspec"),
    "h5py": ("h5py", "arrays"),
    "lmdb": ("lmdb", "lmdb"),
    "lz4": ("lz4", "lz4"),
    "msgpack": ("msgpack", "msgpack"),
    "numpy": ("numpy", "arrays"),
    "obstore": ("obstore", "obstore"),
    "openpyxl": ("openpyxl", "xlsx"),
    "orjson": ("orjson", "orjson"),
    "pandas": ("pandas", "parquet"),
    "PIL": ("Pillow", "images"),
    "psycopg": ("psycopg", "sql"),
    "pyarrow": ("pyarrow", "parquet"),
    "pymongo": ("pymongo", "mongo"),
    "pymysql": ("PyMySQL", "sql"),
    "redis": ("redis", "redis"),
    "soundfile": ("soundfile", "audio"),
    "sqlalchemy": ("SQLAlchemy", "sql"),
    "tomli_w": ("tomli-w", "toml"),
    "yaml": ("PyYAML", "yaml"),
    "zstandard": ("zstandard", "zstd"),
}


def not_imported(who: str, error: ImportError, extra: str) -> UnsupportedError:
    """Return the error for what cannot be imported, naming the package that is really missing.

    Parameters
    ----------
    who
        What needs it.
    error
        The error of the import.
    extra
        The extra that brings what the error does not name.
    """
    module = (error.name or "").partition(".")[0]
    if module == "holdall":
        raise error
    package, extra = _BROUGHT.get(module, ("", "" if module else extra))
    if not extra:
        what = f"needs the module {module} ({error}), which no extra brings: install the package that has it"
    elif isinstance(error, ModuleNotFoundError) and error.name == module:
        what = f"needs the package {package}: pip install 'holdall[{extra}]'"
    else:  # one is there, of another version, or without a library
        there = f"the {package or 'driver'} that is installed ({error})"
        what = f"cannot use {there}: pip install -U 'holdall[{extra}]'"
    return UnsupportedError(f"{who} {what}")


def given(variables: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a store is made with, as they were given.

    Parameters
    ----------
    variables
        ``locals()`` at the start of its constructor, so that only the signature lists the options.
    """
    return {
        name: os.fspath(value) if hasattr(type(value), "__fspath__") else value
        for name, value in variables.items()
        if name not in {"self", "__class__"}
    }


def options_of(function: Any) -> frozenset[str] | None:
    """Return the names that a function takes as keywords; None if it takes any."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & _VAR_KEYWORDS:
        return None
    return frozenset(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])


def places_taken(function: Any, count: int) -> frozenset[str]:
    """Return the names of the first parameters of a method, after that of the object."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return frozenset() if code is None else frozenset(code.co_varnames[1 : count + 1])


def refuse_text(owner: str, functions: Iterable[Any], options: Mapping[str, Any]) -> None:
    """Raise for text where a function has a switch: ``trust="no"`` would count as true.

    Parameters
    ----------
    owner
        What was called.
    functions
        The functions or classes that take the options; whatever is True or False by default is a switch.
    options
        The options.

    Raises
    ------
    InvalidArgumentError
        If text was given for a switch.
    """
    for name, value in options.items():
        if isinstance(value, str) and any(isinstance(_default(one, name), bool) for one in functions):
            raise InvalidArgumentError(f"{owner}: {name} is True or False, got the text {shown(value)}")


def _default(function: Any, name: str) -> Any:
    taking = vars(function).get("__init__") if isinstance(function, type) else function
    return (getattr(taking, "__kwdefaults__", None) or {}).get(name)


def unknown_option(owner: str, name: str, known: Iterable[str]) -> InvalidArgumentError:
    """Return the error for an unknown option, with the one that was probably meant.

    Parameters
    ----------
    owner
        What was called.
    name
        The option.
    known
        The known options.
    """
    from difflib import get_close_matches  # noqa: PLC0415  (only needed for this message)

    known = sorted(known)
    close = get_close_matches(name.lower(), known, 1)
    hint = f", did you mean {close[0]!r}? It has " if close else ". It has "
    return InvalidArgumentError(f"{owner} has no option {name!r}{hint}{', '.join(known) or 'none'}")
