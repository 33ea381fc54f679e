"""The parts of arrays, frames and such, for `compare`."""

import numpy as np


def dtype_parts(dtype):
    fields = dtype.fields and [
        (name, dtype_parts(field[0]), field[1:]) for name, field in dtype.fields.items()
    ]
    sub = dtype.subdtype and (dtype_parts(dtype.subdtype[0]), dtype.subdtype[1])
    return (
        str(dtype.type),
        dtype.str,
        fields,
        sub,
        dtype.itemsize,
        dtype.isalignedstruct,
        str(dtype.metadata),
    )


def split(value):
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if isinstance(value, type) or (callable(value) and not isinstance(value, np.ndarray)):
        return [(f"name {value!r}", None)]
    if isinstance(value, np.dtype):
        return [(repr(dtype_parts(value)), None)]
    if isinstance(value, np.ma.MaskedArray):
        if value is np.ma.masked:
            return [("masked", None)]
        return [
            ("data", np.asarray(value.data)),
            ("mask", value.mask),
            (f"hard {value.hardmask}", None),
            (f"fill {value.fill_value!r}", None),
        ]
    if isinstance(value, np.ndarray):
        flags = (value.flags.c_contiguous, value.flags.f_contiguous, value.flags.writeable)
        shown = f"{value.shape} {dtype_parts(value.dtype)} {flags}"
        if value.dtype.hasobject or value.dtype.kind == "T":
            return [(shown, None), ("items", value.tolist())]
        return [(shown, None), (value.tobytes() if value.dtype.names is None else repr(value.tolist()), None)]
    if isinstance(value, np.random.Generator):
        return [(repr(value.bit_generator.state), None)]
    if isinstance(value, np.random.BitGenerator):
        return [(repr(value.state), None)]
    if isinstance(value, np.random.RandomState):
        return [(repr(value.get_state(legacy=False)), None)]
    if isinstance(value, np.generic):
        return [(f"{dtype_parts(value.dtype)} {value!r}", None)]
    if root == "ml_dtypes":
        return [(repr(value), None)]
    if root == "uncertainties":
        return [
            (repr(value), None),
            (repr(sorted((v.tag or "", e) for v, e in value.error_components().items())), None),
        ]
    if root == "scipy":
        return [
            (f"{value.shape} {value.dtype} {getattr(value, 'note', None)}", None),
            ("dense", value.toarray()),
        ]
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        again = [("columns", value.columns), ("index", value.index), ("attrs", value.attrs)]
        return again + [
            (f"column {i} {value.dtypes.iloc[i]}", value.iloc[:, i].array) for i in range(value.shape[1])
        ]
    if isinstance(value, pd.Series):
        return [(f"{value.dtype} {value.name}", None), ("index", value.index), ("array", value.array)]
    if isinstance(value, pd.Index):
        freq = getattr(value, "freq", None)
        return [(f"{value.dtype} {value.names} {freq} {value.tolist()}", None)]
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return [(f"{value.dtype} {value.tolist()}", None)]
    if isinstance(value, pd.Timestamp | pd.Timedelta) and value is not pd.NaT:
        return [(f"{value!r} {value.unit} {value.value}", None)]
    return [(repr(value), None)]
