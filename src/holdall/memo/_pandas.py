"""Tables, columns and indexes of pandas as bytes."""

from collections.abc import Container
from typing import Any

from holdall.memo._encoder import Encode, Encoder

__all__ = ["PANDAS", "TABLES"]

#: Classes of which all attributes are encoded.
TABLES = ("DataFrame", "Series", "Index")

_INTERNAL = frozenset(
    {
        *("_mgr", "_item_cache", "_attrs", "_flags", "_name", "_names", "_cache", "_data", "_id", "_levels"),
        *(
            "_codes",
            "_range",
            "_references",
            "_engine",
            "_freq",
            "_is_copy",
            "_cacher",
            "_typ",
            "_reset_identity",
        ),
        *("_no_setting_name", "_comparables", "_sortorder", "sortorder", "attrs", "_multiindex"),
    }
)


def _frame(value: Any, e: Encoder) -> None:
    e.begin(b"P", type(value))
    e.add(value.index)
    e.add(value.columns)
    for column in range(value.shape[1]):
        _column(value.iloc[:, column].array, e)
    _besides(value, e)
    e.close()


def _series(value: Any, e: Encoder) -> None:
    e.begin(b"P", type(value))
    e.add(value.name)
    e.add(value.index)
    _column(value.array, e)
    _besides(value, e)
    e.close()


def _besides(value: Any, e: Encoder) -> None:
    """Encode the metadata of a table: ``attrs``, flags, what its class declares, and other attributes."""
    if value.attrs:
        e.attribute("attrs", dict(value.attrs))
    if not value.flags.allows_duplicate_labels:
        e.text("no duplicate labels")
    declared = [name for name in value._metadata if name not in {"name", "_name"}]  # noqa: SLF001
    for name in declared:
        e.attribute(name, getattr(value, name, None))
    _attributes(value, e, declared)


def _attributes(value: Any, e: Encoder, but: Container[str] = ()) -> None:
    own = type(value).__module__.startswith("pandas")
    for name, attribute in sorted(vars(value).items()):
        internal = name in _INTERNAL or name in but or (own and name.startswith("_"))
        if not internal:
            e.attribute(name, attribute)


def _index(value: Any, e: Encoder) -> None:
    e.begin(b"P", type(value))
    e.add(list(value.names))
    if hasattr(value, "levels"):
        for level in range(value.nlevels):
            _column(value.get_level_values(level).array, e)
    else:
        _column(value.array, e)
    if getattr(value, "freq", None) is not None:
        e.text(value.freqstr)
    _attributes(value, e)
    e.close()


def _column(value: Any, e: Encoder) -> None:
    """Encode a column: its type, and its content as numpy stores it, or as objects."""
    dtype = value.dtype
    e.open(b"P", f"{dtype} {getattr(dtype, 'storage', '')}".rstrip())
    if hasattr(value, "codes"):
        e.add(value.codes)
        e.add(bool(value.ordered))
        e.add(value.categories)
    elif hasattr(value, "asi8"):
        e.add(value.asi8)
        if getattr(value, "freq", None) is not None:
            e.text(value.freqstr)
    elif hasattr(dtype, "numpy_dtype") and not hasattr(value, "_mask"):
        e.add(value.to_numpy())
    else:
        e.add(value.to_numpy(dtype=object))
    e.close()


def _scalar(value: Any, e: Encoder) -> None:
    e.begin(b"P", type(value))
    e.add(repr(value))
    e.close()


#: By name of the class.
PANDAS: dict[str, Encode] = {
    "DataFrame": _frame,
    "Series": _series,
    "Index": _index,
    "ExtensionArray": _column,
    **dict.fromkeys(("Timestamp", "Timedelta", "Period", "Interval", "NaTType", "NAType"), _scalar),
}
