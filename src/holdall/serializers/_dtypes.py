"""Which types of arrays the npy format describes, and which it would change."""

from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from holdall._shown import shown
from holdall.errors import SerializationError

__all__ = ["require_descr", "require_known"]

# Numbers from here on are those of types that other packages add to numpy, such as ml_dtypes.
_FIRST_OF_OTHERS = 256


def require_known(dtype: np.dtype[Any]) -> None:
    """Raise for types of other packages, and for metadata: npy cannot describe them."""
    if dtype.metadata is not None:
        raise SerializationError(
            f"npy does not keep the metadata of dtype {dtype}, {shown(dict(dtype.metadata))}: use "
            "array.astype() of a dtype without them, or serializer='hdf5' or 'pickle'"
        )
    if dtype.subdtype is not None:
        require_known(dtype.subdtype[0])
    elif dtype.names is not None:
        for name in dtype.names:
            require_known(dtype[name])
    elif dtype.num >= _FIRST_OF_OTHERS:
        raise SerializationError(
            f"npy cannot describe dtype {dtype}, which another package adds to numpy: "
            "use array.astype('f4') or another type of numpy, or serializer='pickle'"
        )


def require_descr(dtype: np.dtype[Any]) -> None:
    """Raise for records that npy would describe incorrectly."""
    try:
        same = npy_format.descr_to_dtype(npy_format.dtype_to_descr(dtype)) == np.dtype((np.void, dtype))
    except Exception as error:
        raise SerializationError(f"npy cannot describe dtype {dtype}: {error}") from error
    if not same:
        raise SerializationError(f"dtype {dtype} would come back different: use serializer='pickle'")
