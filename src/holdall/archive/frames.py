"""Frames, indexes and scalars of pandas, and sparse matrices of scipy, by their public constructors."""

from collections.abc import Callable
from typing import Any

from holdall.archive.graph import Fill, Graph, Node
from holdall.archive.references import Reference
from holdall.archive.values import as_call

__all__ = ["route", "sparse_route"]

_Describe = Callable[[Graph, Node], None]


def route(cls: type, reduced: _Describe) -> _Describe | None:
    """Return the function that describes objects of a class of pandas, or None for its own reduction.

    Parameters
    ----------
    cls
        The class.
    reduced
        Describes an object by its own reduction.
    """
    import pandas as pd  # noqa: PLC0415  (already imported)

    exact: dict[type, _Describe] = {
        pd.DataFrame: _frame,
        pd.Series: _series,
        pd.Index: _index,
        pd.RangeIndex: _range_index,
        pd.DatetimeIndex: _times,
        pd.TimedeltaIndex: _times,
        pd.PeriodIndex: _extension_index,
        pd.CategoricalIndex: _extension_index,
        pd.IntervalIndex: _extension_index,
        pd.MultiIndex: _multi_index,
        pd.Categorical: _categorical,
        pd.arrays.IntegerArray: _nullable,
        pd.arrays.FloatingArray: _nullable,
        pd.arrays.BooleanArray: _nullable,
        pd.arrays.DatetimeArray: _time_array,
        pd.arrays.TimedeltaArray: _time_array,
        pd.arrays.PeriodArray: _period_array,
        pd.arrays.IntervalArray: _intervals,
        pd.arrays.StringArray: _strings,
        pd.Timestamp: _timestamp,
        pd.Timedelta: _timedelta,
        pd.Period: _period,
        type(pd.NaT): _constant("NaT"),
        type(pd.NA): _constant("NA"),
        pd.CategoricalDtype: _categorical_dtype,
        pd.DatetimeTZDtype: _time_dtype,
        pd.PeriodDtype: _period_dtype,
        pd.StringDtype: _string_dtype,
    }
    if cls in exact:
        return exact[cls]
    if issubclass(cls, pd.arrays.StringArray) or cls.__name__.endswith("StringArrayNumpySemantics"):
        return _strings
    if cls.__module__.startswith("pandas.") and cls.__name__ == "ArrowStringArray":
        return _strings
    if issubclass(cls, pd.offsets.BaseOffset):
        return _offset(reduced)
    if issubclass(cls, pd.api.extensions.ExtensionDtype) and not getattr(
        cls, "_metadata", ()
    ):  # Int64Dtype and such
        return lambda graph, node: as_call(graph, node, type(node.obj))
    return None


def _constant(name: str) -> _Describe:
    def describe(graph: Graph, node: Node) -> None:
        del graph
        node.kind, node.extra = "ref", Reference("pandas", name)

    return describe


def _values(graph: Graph, data: Any) -> Any:
    """Return the data of a series or index: an array of numpy if it is one, otherwise of pandas."""
    import numpy as np  # noqa: PLC0415

    return graph.keep(data.to_numpy(copy=False) if isinstance(data.dtype, np.dtype) else data.array)


def _name(graph: Graph, name: Any) -> dict[str, Any]:
    return {} if name is None else {"name": graph.keep(name)}


def _with_attributes(graph: Graph, node: Node) -> None:
    if node.obj.attrs:
        state = graph.keep({"_attrs": graph.keep(node.obj.attrs)})
        node.fills = (Fill("fill", graph.pairs(state, node, "attribute"), pairs=True),)


def _frame(graph: Graph, node: Node) -> None:
    frame = node.obj
    columns = graph.keep([_values(graph, frame.iloc[:, i]) for i in range(frame.shape[1])])
    graph.keep((frame.index, frame.columns))
    node.kind, node.extra = "call", "_frame"
    slot = graph.slot
    node.slots = [
        slot(columns, node, ("", "")),
        slot(frame.index, node, ("attribute", "index")),
        slot(frame.columns, node, ("attribute", "columns")),
    ]
    _with_attributes(graph, node)


def _series(graph: Graph, node: Node) -> None:
    series = node.obj
    values = _values(graph, series)
    as_call(
        graph,
        node,
        type(series),
        values,
        index=series.index,
        dtype=_dtype(series.dtype),
        **_name(graph, series.name),
    )
    _with_attributes(graph, node)


def _index(graph: Graph, node: Node) -> None:
    index = node.obj
    as_call(
        graph, node, type(index), _values(graph, index), dtype=_dtype(index.dtype), **_name(graph, index.name)
    )


def _range_index(graph: Graph, node: Node) -> None:
    index = node.obj
    as_call(graph, node, type(index), index.start, index.stop, index.step, **_name(graph, index.name))


def _integers(data: Any) -> Any:
    """Return times as integers since the epoch in UTC."""
    return data.asi8 if hasattr(data, "asi8") else data.view("i8")


def _times(graph: Graph, node: Node) -> None:
    index = node.obj
    freq = {} if index.freq is None else {"freq": index.freqstr if _is_spelled(index.freq) else index.freq}
    as_call(
        graph,
        node,
        type(index),
        _as_times(graph, index),
        dtype=index.dtype,
        **freq,
        **_name(graph, index.name),
    )


def _as_times(graph: Graph, data: Any) -> Any:
    """Return times as an array of numpy: unchanged without a zone, otherwise as integers in UTC."""
    return graph.keep(_integers(data) if getattr(data, "tz", None) is not None else data.to_numpy())


def _time_array(graph: Graph, node: Node) -> None:
    """Describe an array of times by an index of them, which gives its array."""
    import pandas as pd  # noqa: PLC0415

    data = node.obj
    cls = pd.DatetimeIndex if data.dtype.kind == "M" else pd.TimedeltaIndex
    index = graph.keep(cls(data))
    as_call(graph, node, pd.array, index, dtype=data.dtype)


def _period_array(graph: Graph, node: Node) -> None:
    data = node.obj
    as_call(graph, node, type(data), graph.keep(data.asi8), dtype=data.dtype)


def _extension_index(graph: Graph, node: Node) -> None:
    index = node.obj
    as_call(graph, node, type(index), graph.keep(index.array), **_name(graph, index.name))


def _multi_index(graph: Graph, node: Node) -> None:
    import numpy as np  # noqa: PLC0415

    index = node.obj
    codes = [np.asarray(codes) for codes in index.codes]
    as_call(
        graph,
        node,
        type(index),
        graph.keep(list(index.levels)),
        graph.keep(codes),
        names=graph.keep(list(index.names)),
    )


def _categorical(graph: Graph, node: Node) -> None:
    data = node.obj
    as_call(
        graph,
        node,
        type(data).from_codes,
        graph.keep(data.codes),
        categories=graph.keep(data.categories),
        ordered=bool(data.ordered),
    )


def _nullable(graph: Graph, node: Node) -> None:
    import numpy as np  # noqa: PLC0415

    data = node.obj
    mask = np.asarray(data.isna())
    values = data.to_numpy(dtype=getattr(data.dtype, "numpy_dtype", np.dtype(bool)), na_value=0)
    as_call(graph, node, type(data), graph.keep(values), graph.keep(mask))


def _intervals(graph: Graph, node: Node) -> None:
    data = node.obj
    as_call(
        graph, node, type(data).from_arrays, graph.keep(data.left), graph.keep(data.right), closed=data.closed
    )


def _strings(graph: Graph, node: Node) -> None:
    import pandas as pd  # noqa: PLC0415

    data = node.obj
    items = [None if missing else item for item, missing in zip(data.tolist(), data.isna(), strict=True)]
    as_call(graph, node, pd.array, graph.keep(items), dtype=_dtype(data.dtype))


def _timestamp(graph: Graph, node: Node) -> None:
    _in_unit(graph, node, {} if node.obj.tz is None else {"tz": _zone(node.obj.tz)})


def _timedelta(graph: Graph, node: Node) -> None:
    _in_unit(graph, node, {})


def _in_unit(graph: Graph, node: Node, zone: dict[str, Any]) -> None:
    """Describe a time or duration by its count of units; some versions of pandas then choose another unit."""
    obj, cls = node.obj, type(node.obj)
    count = int(obj.asm8.view("i8"))
    made = cls(count, unit=obj.unit, **zone)
    if made.unit == obj.unit:
        as_call(graph, node, cls, count, unit=obj.unit, **zone)
    else:
        as_call(graph, node, Reference("pandas", f"{cls.__name__}.as_unit"), made, obj.unit)


def _period(graph: Graph, node: Node) -> None:
    import pandas as pd  # noqa: PLC0415

    period = node.obj
    as_call(graph, node, type(period), ordinal=period.ordinal, freq=_frequency(pd.PeriodDtype(period.freq)))


def _frequency(dtype: Any) -> str:
    """Return the frequency of periods in their notation, which differs from that of other offsets."""
    return str(dtype).removeprefix("period[").removesuffix("]")


def _offset(reduced: _Describe) -> _Describe:
    def describe(graph: Graph, node: Node) -> None:
        if _is_spelled(node.obj):
            as_call(graph, node, Reference("pandas.tseries.frequencies", "to_offset"), node.obj.freqstr)
        else:
            reduced(graph, node)

    return describe


def _is_spelled(offset: Any) -> bool:
    """Return whether the notation of an offset tells all of it; holidays, for example, have none."""
    from pandas.tseries.frequencies import to_offset  # noqa: PLC0415

    try:
        return bool(to_offset(offset.freqstr) == offset)
    except ValueError:
        return False


def _categorical_dtype(graph: Graph, node: Node) -> None:
    dtype = node.obj
    as_call(graph, node, type(dtype), graph.keep(dtype.categories), ordered=dtype.ordered)


def _time_dtype(graph: Graph, node: Node) -> None:
    as_call(graph, node, type(node.obj), node.obj.unit, _zone(node.obj.tz))


def _zone(tz: Any) -> Any:
    """Return a time zone for a constructor: by its name if pandas makes it of that, from any library."""
    import pandas as pd  # noqa: PLC0415

    try:
        made = pd.DatetimeTZDtype("ns", str(tz)).tz
    except Exception:  # of any library of time zones
        return tz
    same = made == tz or hasattr(tz, "zone")  # pytz has an object for summer and one for winter
    return str(tz) if type(made) is type(tz) and same else tz


def _period_dtype(graph: Graph, node: Node) -> None:
    as_call(graph, node, type(node.obj), _frequency(node.obj))


def _string_dtype(graph: Graph, node: Node) -> None:
    import pandas as pd  # noqa: PLC0415

    dtype = node.obj
    value = getattr(dtype, "na_value", pd.NA)
    keywords = {} if value is pd.NA else {"na_value": value}
    as_call(graph, node, type(dtype), *([] if _is_default(dtype) else [dtype.storage]), **keywords)


def _is_default(dtype: Any) -> bool:
    """Return whether texts have the default storage of this pandas with its installed libraries."""
    import pandas as pd  # noqa: PLC0415

    value = getattr(dtype, "na_value", pd.NA)
    default = pd.StringDtype() if value is pd.NA else pd.StringDtype(na_value=value)
    return bool(default.storage == dtype.storage)


def _dtype(dtype: Any) -> Any:
    """Return a dtype for a constructor: that of texts by its name, which every pandas understands."""
    import pandas as pd  # noqa: PLC0415

    if isinstance(dtype, pd.StringDtype) and _is_default(dtype):
        return "string" if getattr(dtype, "na_value", pd.NA) is pd.NA else "str"
    return dtype


# ------------------------------------------------------------------ scipy


def sparse_route(cls: type) -> _Describe | None:
    """Return the function that describes matrices of a class of scipy, or None for its own reduction."""
    if not cls.__module__.startswith("scipy.sparse.") or cls.__name__[3:] not in {"_matrix", "_array"}:
        return None
    route = {"coo": _coordinates, "dok": _converted("tocoo"), "lil": _converted("tocsr")}.get(
        cls.__name__[:3]
    )
    return route or _parts


def _parts(graph: Graph, node: Node) -> None:
    matrix = node.obj
    names = ("data", "offsets") if hasattr(matrix, "offsets") else ("data", "indices", "indptr")
    parts = graph.keep(tuple(getattr(matrix, name) for name in names))
    as_call(graph, node, type(matrix), parts, shape=matrix.shape)
    _with_own(graph, node)


def _coordinates(graph: Graph, node: Node) -> None:
    matrix = node.obj
    coordinates = tuple(matrix.coords) if hasattr(matrix, "coords") else (matrix.row, matrix.col)
    as_call(graph, node, type(matrix), graph.keep((matrix.data, coordinates)), shape=matrix.shape)
    _with_own(graph, node)


def _converted(how: str) -> _Describe:
    def describe(graph: Graph, node: Node) -> None:
        as_call(graph, node, type(node.obj), graph.keep(getattr(node.obj, how)()))
        _with_own(graph, node)

    return describe


def _with_own(graph: Graph, node: Node) -> None:
    """Add the attributes that a matrix got from users."""
    usual = vars(type(node.obj)(node.obj.shape))
    own = {name: value for name, value in vars(node.obj).items() if name not in usual and name[0] != "_"}
    if own:
        node.fills = (Fill("fill", graph.pairs(graph.keep(own), node, "attribute"), pairs=True),)
