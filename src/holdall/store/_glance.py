"""Values for display: only where that is fast and runs no code."""

import sys
from io import BytesIO
from typing import Any, Final

from holdall.abc import KeyedSerializer, PersisterWrapper, Serializer
from holdall.conditional import VALUE_NOT_RETRIEVED, Stat
from holdall.errors import HoldallError
from holdall.store._compose import ValueFunctions

__all__ = ["format_of", "glance"]

# The packages that a format needs. If they are not imported yet, the value is not shown, as it would be slow.
_NEEDS: Final = {
    **dict.fromkeys(("json", "text", "bytes", "line", "csv", "ini", "toml"), ""),
    **dict.fromkeys(("gz", "bz2", "xz", "base64", "checksum", "hmac"), ""),
    **dict.fromkeys(("npy", "npz"), "numpy"),
    "yaml": "yaml",
    "msgpack": "msgpack",
    "cbor": "cbor2",
    "orjson": "orjson",
    "zst": "zstandard",
    "lz4": "lz4",
    "pandas-csv": "pandas",
}
_NOTHING: Final = ValueFunctions(None, None)


def glance(compiled: Any, id: Any, limit: int) -> tuple[Any, Stat]:
    """Return the value and the stat of an id, with `VALUE_NOT_RETRIEVED` for a value that is not shown.

    Those are values larger than `limit`, damaged ones, and those made by functions of the user or by code
    named in the data.
    """
    data, stat = compiled.persister.glance(id, limit)
    if data is VALUE_NOT_RETRIEVED or compiled.reads_values:
        return data, stat
    if compiled.own_errors[1] or compiled.outward != _NOTHING:  # functions of the user make the values
        return VALUE_NOT_RETRIEVED, stat
    try:
        serializer = _serializer(compiled, id)
        if serializer is None:
            return data, stat
        if len(data) > limit or not _is_quick(serializer):
            return VALUE_NOT_RETRIEVED, stat
        if not serializer.executes_code:
            return serializer.loads(data), stat
        from holdall.serializers.harmless import Harmless  # noqa: PLC0415  (pickle is slow to import)

        return Harmless(BytesIO(data)).load(), stat
    except Exception:  # reading the value will raise
        return VALUE_NOT_RETRIEVED, stat


def format_of(compiled: Any, id: Any) -> str:
    """Return the name of the format of an id; "" where values are stored as they are."""
    try:
        serializer = _serializer(compiled, id)
        if serializer is not None:
            return serializer.name
        place = compiled.persister
        while isinstance(place, PersisterWrapper):
            place = place.inner
        below = getattr(place, "compiled", None)  # of the store below
        return "" if below is None else format_of(below, place.id_of(id))
    except HoldallError:  # an id without a format
        return ""


def _serializer(compiled: Any, id: Any) -> Serializer[Any] | None:
    choose = compiled.choose
    found: Serializer[Any] | None = compiled.serializer if choose is None else choose(id)
    return None if isinstance(found, KeyedSerializer) else found


def _is_quick(serializer: Serializer[Any]) -> bool:
    """Return whether data are read by code of holdall whose packages are already imported."""
    module = type(serializer).__module__
    if not module.startswith("holdall.") or module == "holdall.serializers.adapt":
        return False
    if serializer.executes_code:
        return True  # tried as a pickle without code
    needs = [_NEEDS.get(name) for name in serializer.name.split(".")]
    return all(need is not None and (not need or need in sys.modules) for need in needs)
