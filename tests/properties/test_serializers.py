"""Whatever a serializer accepts comes back, by every way of writing and reading it."""

import io
import json
import math
import os
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from exploring import examples
from holdall.abc import join_parts
from holdall.errors import SerializationError
from holdall.serializers import (
    AdaptedSerializer,
    BytesSerializer,
    JsonSerializer,
    NpySerializer,
    NpzSerializer,
    PickleSerializer,
    TextSerializer,
)

# hypothesis leaves surrogates out of text() unless asked for them
any_text = st.text(st.characters(exclude_categories=()) | st.sampled_from("\r\n\ud83d\ude00\x00\ufeff"))
clean_text = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("\r\n\x00\ufeff"))
json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    json_scalars | clean_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(clean_text, inner, max_size=4),
    max_leaves=12,
)
nearly_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(st.integers(), max_size=2)
        | st.dictionaries(any_text | st.integers(-1, 2) | st.booleans() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)
pickle_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | any_text, inner, max_size=4)
        | st.frozensets(st.integers(), max_size=4)
    ),
    max_leaves=12,
)
# What lies in the gaps is any byte that was there: numpy does not copy it.
GAPS = np.dtype({"names": ["a", "b"], "formats": ["i1", "<f8"], "offsets": [0, 8], "itemsize": 24})

dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?")
    | hnp.complex_number_dtypes(endianness="?")
    | hnp.datetime64_dtypes(endianness="?")
    | hnp.timedelta64_dtypes(endianness="?")
    | hnp.byte_string_dtypes(max_len=5)
    | hnp.unicode_string_dtypes(endianness="?", max_len=5)
    | st.just(np.dtype([("a", "<i2"), ("température", ">f8", (2,)), ("n", [("x", "S3"), ("y", "?")])]))
    | st.just(GAPS)
    | st.just(np.dtype([("温度", "f4")]))
    | st.just(np.dtype("V7"))
)


@st.composite
def arrays(draw):
    dtype = draw(dtypes)
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    size = math.prod(shape) * dtype.itemsize
    array = np.frombuffer(bytes(draw(st.binary(min_size=size, max_size=size))), dtype) if size else None
    if dtype.kind in "US":  # not every pattern of bits is a character
        array = np.array([str(i) for i in range(math.prod(shape))], dtype)
    array = np.zeros(shape, dtype) if array is None else array.copy().reshape(shape)
    layout = draw(st.sampled_from(["C", "F", "strided", "reversed", "transposed", "broadcast", "readonly"]))
    if layout == "F":
        array = np.asfortranarray(array)
    elif layout == "strided" and array.ndim:
        array = np.repeat(array, 2, axis=-1)[..., ::2]
    elif layout == "reversed" and array.ndim:
        array = array[::-1]
    elif layout == "transposed":
        array = array.T
    elif layout == "broadcast":
        array = np.broadcast_to(array, (2, *array.shape))
    elif layout == "readonly":
        array.flags.writeable = False
    return array


def ways_back(serializer, value, folder, *, stable=True):
    """Write in each way, require the same data where they are stable, and read in each way."""
    data = serializer.dumps(value)
    assert type(data) is bytes
    parts = serializer.parts(value)
    assert type(parts) in (bytes, list)
    if type(parts) is list:
        assert all(type(part) in (bytes, bytearray) or part.format == "B" for part in parts)
        assert sum(map(len, parts)) == len(join_parts(parts))
    path = folder / "value"
    with open(path, "wb", buffering=0) as file:
        serializer.dump(value, file)
    joined = bytes(join_parts(parts))
    written = path.read_bytes()
    assert (written == joined) if stable else (len(written) == len(joined))
    yield serializer.loads(data)
    yield serializer.loads(joined)
    yield serializer.loads(memoryview(data))
    yield serializer.loads(bytearray(data))
    yield serializer.load(io.BytesIO(data))
    with open(path, "rb", buffering=0) as file:
        yield serializer.load(file)
        assert not file.closed
    with open(path, "rb") as file:
        yield serializer.load(file)
    with open(path, "rb", buffering=0) as file:
        yield serializer.load(Dribble(file))


class Dribble:
    """A file of the kind that gives less than was asked and can do no more than a store promises."""

    def __init__(self, file):
        self.file = file

    def read(self, size=-1):
        return self.file.read(size)

    def readinto(self, buffer):
        return self.file.readinto(memoryview(buffer)[: max(7, len(buffer) // 3)])

    def close(self):
        self.file.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("serializers")


def assert_same(back, value):
    assert back == value
    assert type(back) is type(value)


def assert_same_array(back, array):
    assert isinstance(back, np.ndarray)
    assert back.dtype == array.dtype
    assert back.dtype.byteorder == array.dtype.byteorder
    assert back.shape == array.shape
    if array.dtype.names:
        for name in array.dtype.names:
            assert np.ascontiguousarray(back[name]).tobytes() == np.ascontiguousarray(array[name]).tobytes()
    else:
        assert np.ascontiguousarray(back).tobytes() == np.ascontiguousarray(array).tobytes()


@given(value=pickle_values, protocol=st.integers(0, 5))
def test_pickle_round_trip(folder, value, protocol):
    serializer = PickleSerializer(protocol)
    for back in ways_back(serializer, value, folder):
        assert_same(back, value)
    assert pickle.loads(join_parts(serializer.parts(value))) == value


@examples(4)
@example(value="é", size=(1 << 20) + 1, protocol=5)
@given(
    value=st.sampled_from([b"x", bytearray(b"y"), "z", "é", "\ud800"]),
    size=st.integers(65530, 65540),
    protocol=st.integers(4, 5),
)
def test_pickle_of_large_buffers(folder, value, size, protocol):
    serializer = PickleSerializer(protocol)
    for large in (value * size, [1, value * size, {"k": value * size}]):
        for back in ways_back(serializer, large, folder):
            assert_same(back, large)


@given(array=arrays(), repeat=st.sampled_from([1, 70_000]))
def test_pickle_of_arrays(folder, array, repeat):
    if array.size and array.ndim:
        array = np.broadcast_to(array.flat[0], (repeat,)) if repeat > 1 else array
    serializer = PickleSerializer()
    for value in (array, np.array(array, order="K")):
        for back in ways_back(serializer, [value, "end"], folder, stable=value.dtype != GAPS):
            # pickles of numpy may turn the byte order into the native one, which is equal
            assert_same_array(back[0].astype(value.dtype), value)
            assert_same_array(back[0], pickle.loads(pickle.dumps(value, 5)))
            assert back[1] == "end"


@given(
    value=json_values, options=st.sampled_from([{}, {"indent": 2}, {"sort_keys": True}, {"strict": False}])
)
def test_json_round_trip(folder, value, options):
    serializer = JsonSerializer(**options)
    for back in ways_back(serializer, value, folder):
        assert_same(back, value)
    data = serializer.dumps(value)
    assert json.loads(data.decode("utf-8")) == value
    assert data.endswith(b"\n") == ("indent" in options)


@given(value=nearly_json)
def test_json_is_equal_or_refused(value):
    serializer = JsonSerializer()
    try:
        data = serializer.dumps(value)
    except SerializationError:
        assert not comes_back_equal(value)
    else:
        back = serializer.loads(data)
        assert back == value
        assert repr(back) == repr(value)


def comes_back_equal(value):
    try:
        return json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError):
        return False


@given(value=any_text)
def test_json_keeps_lone_surrogates(value):
    serializer = JsonSerializer()
    if json.loads(json.dumps(value)) == value:
        assert serializer.loads(serializer.dumps({value: value})) == {value: value}
    else:
        with pytest.raises(SerializationError, match="surrogates"):
            serializer.dumps({value: value})


@given(
    value=clean_text,
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "gb18030"]),
)
def test_text_round_trip(folder, value, encoding):
    for back in ways_back(TextSerializer(encoding=encoding), value, folder):
        assert_same(back, value)


@given(value=any_text)
def test_text_of_surrogates(folder, value):
    serializer = TextSerializer(errors="surrogatepass")
    for back in ways_back(serializer, value, folder):
        assert_same(back, value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        with pytest.raises(SerializationError, match=f"position {error.start} "):
            TextSerializer().dumps(value)
    else:
        assert TextSerializer().dumps(value) == value.encode()


@given(value=clean_text, newline=st.sampled_from(["\n", "\r\n"]))
def test_text_with_newline(value, newline):
    serializer = TextSerializer(newline=newline)
    lines = io.StringIO(value, newline=None).getvalue()  # the universal newlines of Python itself
    data = serializer.dumps(value)
    assert data == lines.replace("\n", newline).encode()
    assert serializer.loads(data) == lines
    assert serializer.loads(value.encode()) == lines


@given(value=st.binary(), repeat=st.sampled_from([1, 70_000]))
def test_bytes_round_trip(folder, value, repeat):
    value *= repeat
    for given_as in (
        value,
        bytearray(value),
        memoryview(value),
        memoryview(value + value)[:: 2 if len(value) % 2 else 1],
    ):
        for back in ways_back(BytesSerializer(), given_as, folder):
            assert_same(back, bytes(given_as))


@given(array=arrays())
def test_npy_round_trip(folder, array):
    serializer = NpySerializer()
    for back in ways_back(serializer, array, folder):
        assert_same_array(back, array)
        assert back.flags.writeable
    with open(folder / "value", "rb") as file:
        assert_same_array(np.load(file), array)  # numpy reads what we write,
    foreign = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that few others read version 3
        np.save(foreign, array)
    assert_same_array(serializer.loads(foreign.getvalue()), array)  # and we what numpy writes


@given(array=arrays(), mode=st.sampled_from(["r", "c"]))
def test_npy_mapped(folder, array, mode):
    serializer = NpySerializer(mmap_mode=mode)
    path = folder / "mapped"
    with open(path, "wb") as file:
        serializer.dump(array, file)
    with open(path, "rb", buffering=0) as file:
        back = serializer.load(file)
    assert_same_array(back, array)
    if array.nbytes:
        assert isinstance(back, np.memmap)
        assert back.flags.writeable == (mode == "c")
    os.unlink(path)
    assert_same_array(serializer.load(io.BytesIO(serializer.dumps(array))), array)


@given(
    value=st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=9), arrays(), max_size=3
    ),
    compress=st.booleans(),
)
def test_npz_round_trip(folder, value, compress):
    serializer = NpzSerializer(compress=compress)
    if any("\0" in name for name in value):
        with pytest.raises(SerializationError, match="null"):
            serializer.dumps(value)
        return
    for back in ways_back(serializer, value, folder):
        assert list(back) == list(value)
        for name, array in value.items():
            assert_same_array(back[name], array)
    loaded = np.load(io.BytesIO(serializer.dumps(value)))
    for name, array in value.items():
        assert_same_array(loaded[f"{name}.npy"], array)


class OnlyFiles:
    """Has dump and load, and writes text or bytes."""

    def __init__(self, *, text):
        self.text = text

    def dump(self, value, file):
        file.write(repr(value) if self.text else repr(value).encode("utf-8", "surrogatepass"))

    def load(self, file):
        data = file.read()
        assert isinstance(data, str) == self.text
        return eval(data if self.text else data.decode("utf-8", "surrogatepass"))


@given(
    value=json_values, adapted=st.sampled_from([pickle, json, OnlyFiles(text=True), OnlyFiles(text=False)])
)
def test_adapted_round_trip(folder, value, adapted):
    for back in ways_back(AdaptedSerializer(adapted), value, folder):
        assert_same(back, value)
    data = AdaptedSerializer(adapted).dumps(value)
    assert AdaptedSerializer(adapted).loads(data) == value  # by one that has written nothing yet
