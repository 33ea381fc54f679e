"""Arrays of every dtype come back equal, or are refused before anything is written."""

import ml_dtypes
import numpy as np
import pytest

from holdall.errors import SerializationError
from holdall.serializers.npy import NpySerializer, NpzSerializer
from holdall.stores.memory import MemoryStore

FOREIGN = sorted(
    name
    for name in dir(ml_dtypes)
    if isinstance(getattr(ml_dtypes, name), type) and issubclass(getattr(ml_dtypes, name), np.generic)
)
ENUM = np.dtype("u1", metadata={"enum": {"on": 1}})
LOSSY = [np.dtype(getattr(ml_dtypes, name)) for name in FOREIGN] + [
    ENUM,
    np.dtype([("a", "i4"), ("b", ENUM)]),
    np.dtype([("a", ENUM, (2,))]),
    np.dtype([("a", [("b", ml_dtypes.bfloat16)])]),
    np.dtype([("a", ml_dtypes.bfloat16, (2,))]),
]


@pytest.mark.parametrize("dtype", LOSSY, ids=str)
@pytest.mark.parametrize("shape", [(2,), (0,), ()], ids=str)
def test_what_npy_cannot_describe_is_refused_and_the_old_value_stays(dtype, shape):
    array = np.zeros(shape, dtype)
    for serializer in (NpySerializer(), NpySerializer(allow_pickle=True)):
        store = MemoryStore(serializer=serializer)
        store["a"] = np.arange(3)
        with pytest.raises(SerializationError, match="pickle"):
            store["a"] = array
        assert store["a"].tolist() == [0, 1, 2]
    with pytest.raises(SerializationError):
        NpzSerializer().dumps({"a": array})


def test_arrays_of_objects_are_kept_or_refused_as_well():
    serializer = NpySerializer(allow_pickle=True)
    kept = np.zeros(2, [("a", object), ("b", ml_dtypes.bfloat16)])
    assert serializer.loads(serializer.dumps(kept)).dtype == kept.dtype
    with pytest.raises(SerializationError, match="cannot be pickled"):
        serializer.dumps(np.zeros(2, [("a", object), ("b", ml_dtypes.float8_e5m2)]))
    texts = np.array(["a", None], np.dtype(object, metadata={"vlen": str}))
    with pytest.warns(UserWarning, match="metadata"):  # of numpy, in vain: the pickle has them
        data = serializer.dumps(texts)
    assert serializer.loads(data).dtype.metadata == {"vlen": str}


KEPT = ["?", "i1", ">u2", "<f2", ">f8", "g", "c8", ">c16", "G", "S3", "U2", ">U2", "V3", "M8[ns]", ">m8[D]"]
RECORDS = [
    np.dtype([("a", "i4", (2,)), ("b", [("c", ">f8")])]),
    np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 24}),
]


@pytest.mark.parametrize("dtype", [*map(np.dtype, KEPT), *RECORDS], ids=str)
def test_what_npy_can_describe_comes_back_equal(dtype):
    array = np.zeros((2, 3), dtype)
    back = NpySerializer().loads(NpySerializer().dumps(array))
    assert back.dtype.newbyteorder("=") == dtype.newbyteorder("=")
    assert back.dtype.str == dtype.str
    assert back.tobytes() == array.tobytes()
