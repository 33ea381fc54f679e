"""The formats of a `MultiFormatStore`: their names and options."""

import os
from collections.abc import Container
from typing import Any

from holdall.errors import InvalidArgumentError
from holdall.keys import PathKeys, as_key_codec
from holdall.keys._recorded import codec_of
from holdall.persisters.files import recorded
from holdall.serializers import get_serializer
from holdall.stores._recorded import recorded_serializer

__all__ = ["by_name", "cannot_be_told_apart", "check_name", "planned", "recorded_formats"]

# Options that each format may have for itself; the others are given once for the folder.
OWN = ("suffix", "durability", "hidden", "max_levels", "trust", "value_type", "append_only")


def by_name(serializers: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Return the given formats by name."""
    formats: dict[str, Any] = {}
    for spec in serializers:
        name = get_serializer(spec).name
        if name in formats or name in named:
            raise InvalidArgumentError(f"two formats are called {name!r}: give one by a keyword of its own")
        formats[name] = spec
    return formats | named


def recorded_formats(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return the formats that a folder was made with."""
    made = {} if path is None else recorded(path).get("formats") or _one_format(path)
    if path is None or not made:
        where = "a temporary folder" if path is None else repr(os.fspath(path))
        raise InvalidArgumentError(
            f'{where} has no formats yet: name them, as in MultiFormatStore(path, "json", arrays="npy")',
        )
    formats = {}
    for suffix, format in made.items():
        recorded_serializer(format, repr(os.fspath(path)))
        formats[format["name"]] = {"serializer": format["serializer"], "suffix": suffix}
    return formats


def _one_format(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the format of a folder that a `FileDirStore` made, if it is recorded."""
    record = recorded(path)
    name = recorded_serializer(record, repr(os.fspath(path)))
    suffix = getattr(codec_of(record.get("keys")), "suffix", "")
    return {suffix: {"name": name, "serializer": name}} if suffix else {}


def check_name(name: Any, reserved: Container[str]) -> None:
    """Raise `InvalidArgumentError` unless a format can have this name, which is also an attribute."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise InvalidArgumentError(f"a format is known by a name as of an attribute, got {name!r}")
    if name in reserved:
        raise InvalidArgumentError(f"a format cannot be called {name!r}, which is a method of the store")


def cannot_be_told_apart(one: str, suffix: str, other: str, other_suffix: str) -> InvalidArgumentError:
    """Return the error for two formats whose suffixes cannot be distinguished."""
    return InvalidArgumentError(
        f"formats {one!r} with suffix {suffix!r} and {other!r} with suffix {other_suffix!r} could not be "
        "told apart: give one of them another suffix",
    )


def planned(name: Any, spec: Any, shared: dict[str, Any], reserved: Container[str]) -> dict[str, Any]:
    """Return the options of one format, completed by the shared ones."""
    check_name(name, reserved)
    own = dict(spec) if isinstance(spec, dict) else {"serializer": spec}
    unknown = set(own) - {"serializer", "mmap_mode", *OWN}
    if unknown or "serializer" not in own:
        what = f"has no option {min(unknown)!r}" if unknown else "needs a serializer"
        raise InvalidArgumentError(
            f"format {name!r} {what}; its options are serializer, mmap_mode, {', '.join(OWN)}",
        )
    try:
        serializer = get_serializer(own["serializer"])
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"format {name!r}: {error}") from error
    common = {option: shared[option] for option in OWN if option != "suffix"}
    folder = {option: shared[option] for option in ("keys", "read_only", "timeout")}
    plan = {**folder, "mmap_mode": None, **common, **own}
    plan["suffix"] = plan.get("suffix") or serializer.suffix
    if not plan["suffix"]:
        raise InvalidArgumentError(f"format {name!r} needs a suffix, by which its files are known")
    keys = plan["keys"]
    files = PathKeys(
        suffix=plan["suffix"],
        tuples=keys is tuple,
        hidden=plan["hidden"],
        fold_case=shared["fold_case"],
    )
    plan["codec"] = files if keys in (None, str, tuple) else as_key_codec(keys) | files
    return plan
