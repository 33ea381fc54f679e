"""The HDF5 serializer keeps the laws of serializers."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from holdall.serializers import Hdf5Serializer, WithAttributes
from holdall.testing import SerializerContract

DTYPES = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?")
    | hnp.complex_number_dtypes(endianness="?")
    | hnp.datetime64_dtypes(endianness="?")
    | hnp.byte_string_dtypes(max_len=5)
    | hnp.unicode_string_dtypes(endianness="?", max_len=5)
    | st.just(np.dtype([("a", "<i2"), ("température", ">f8", (2,)), ("n", [("x", "U3"), ("y", "?")])]))
    | st.just(np.dtype([("a", "i1"), ("b", "f8")], align=True))
    | st.just(np.dtype([(("title", "name"), "f4")]))
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)).flatmap(
    lambda array: st.sampled_from(
        [array, np.asfortranarray(array), array.T, array[..., ::-1] if array.ndim else array]
    )
)
TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("/.%\0\ud800")) | st.sampled_from(
    ["", ".", "..", "/", "a/b", "%", "%2e", "holdall", "value", "\ufeff"]
)
LEAVES = (
    ARRAYS
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | TEXT
    | st.binary()
)


def with_attributes(values):
    return st.builds(WithAttributes, values, st.dictionaries(TEXT, LEAVES, min_size=1, max_size=3))


VALUES = st.recursive(
    LEAVES | with_attributes(LEAVES),
    lambda inner: (
        st.dictionaries(TEXT, inner, max_size=4) | with_attributes(st.dictionaries(TEXT, inner, max_size=2))
    ),
    max_leaves=6,
)


def _bits(array):
    """Return the bits of all elements in their order, without what lies between fields."""
    names = array.dtype.names
    return array.tobytes() if names is None else b"".join(_bits(array[name]) for name in names)


def same(one, other):
    """Tell whether two values are of one type and hold the same bits in the same order."""
    if type(one) is not type(other):
        return False
    if type(one) is WithAttributes:
        return same(one.value, other.value) and same(one.attrs, other.attrs)
    if type(one) is dict:
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return (
            (one.dtype, one.dtype.isalignedstruct, one.shape)
            == (other.dtype, other.dtype.isalignedstruct, other.shape)
            and _bits(np.asarray(one)) == _bits(np.asarray(other))
            and (
                one.flags.f_contiguous == other.flags.f_contiguous
                or not (one.flags.forc and other.flags.forc)
            )
        )
    return repr(one) == repr(other)


class TestHdf5(SerializerContract):
    values = VALUES
    refused = (
        [1],
        (1,),
        {1},
        object(),
        {1: 2},
        {"a": [1]},
        np.array([object()]),
        WithAttributes(1, {"a": []}),
    )

    def serializer(self):
        return Hdf5Serializer()

    def equal(self, one, other):
        return same(one, other)


@pytest.mark.soak
class TestHdf5LazyAndCompressed(TestHdf5):
    """What is read lazily is, loaded, what is read at once."""

    def serializer(self):
        return Hdf5Serializer(lazy=True, compression="gzip")

    def equal(self, one, other):
        return same(one, other.load() if hasattr(other, "load") else other)
