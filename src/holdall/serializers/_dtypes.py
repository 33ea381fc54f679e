"""What the npy format can say of the type of an array, and what it would leave out."""

from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from holdall.errors import SerializationError

__all__ = ["require_descr", "require_known"]

# Numbers from here on are those of types that other packages add to numpy, as ml_dtypes does.
_FIRST_OF_OTHERS = 256


def require_known(dtype: np.dtype[Any]) -> None:
    """Refuse types of other packages, and metadata: npy has no words for them."""
    if dtype.metadata is not None:
        raise SerializationError(
            f"npy does not keep the metadata of dtype {dtype}, {dict(dtype.metadata)!r:.80}: use "
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
    """Refuse records that npy would describe otherwise than they are."""
    try:
        same = npy_format.descr_to_dtype(npy_format.dtype_to_descr(dtype)) == np.dtype((np.void, dtype))
    except Exception as error:
        raise SerializationError(f"npy cannot describe dtype {dtype}: {error}") from error
    if not same:
        raise SerializationError(f"dtype {dtype} would come back different: use serializer='pickle'")
