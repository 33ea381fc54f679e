"""What serializers refuse, copy, run and say."""

import ast
import collections
import enum
import io
import json
import marshal
import pickle
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
import types
import zipfile
from typing import NamedTuple

import numpy as np
import pytest

from holdall import serializers
from holdall.abc import Serializer, join_parts
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError, UnsupportedError
from holdall.serializers import (
    AdaptedSerializer,
    BytesSerializer,
    JsonSerializer,
    NpySerializer,
    NpzSerializer,
    PickleSerializer,
    TextSerializer,
    get_serializer,
    register,
    serializer_for_suffix,
)

NAMES = {
    "pickle": (PickleSerializer, ".pkl", True),
    "json": (JsonSerializer, ".json", False),
    "text": (TextSerializer, ".txt", False),
    "bytes": (BytesSerializer, ".bin", False),
    "npy": (NpySerializer, ".npy", False),
    "npz": (NpzSerializer, ".npz", False),
}
RAN = []


def leave_trace():
    RAN.append("ran")


class Trap:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self):
        return leave_trace, ()


class Upper(Serializer[str]):
    name, suffix = "upper", ".up"

    def __init__(self, mark=""):
        self.mark = mark

    def dumps(self, value):
        return value.upper().encode()

    def loads(self, data):
        return data.decode().lower()


class NeedsArgument(Upper):
    def __init__(self, mark):
        super().__init__(mark)


class Color(enum.IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(serializers, "TABLE", dict(serializers.TABLE))


# -- registry


@pytest.mark.parametrize("name", NAMES)
def test_found_by_name_and_suffix(name):
    cls, suffix, executes = NAMES[name]
    for found in (
        get_serializer(name),
        get_serializer(cls),
        serializer_for_suffix(suffix),
        serializer_for_suffix(suffix[1:].upper()),
    ):
        assert type(found) is cls
        assert (found.name, found.suffix, found.executes_code) == (name, suffix, executes)


def test_default_is_pickle():
    assert get_serializer(None) == get_serializer() == PickleSerializer()


def test_instance_is_itself():
    upper = Upper()
    assert get_serializer(upper) is upper


def test_importing_the_package_imports_no_format():
    code = (
        "import sys, importlib.abc; before = set(sys.modules); import holdall.serializers as s;"
        "new = set(sys.modules) - before;"
        "print(sorted(new & {'numpy', 'pickle', 'json', 'difflib', 'inspect', 'zipfile'}));"
        "s.get_serializer('json'); s.get_serializer('text'); s.get_serializer('bytes');"
        "print(sorted((set(sys.modules) - before) & {'numpy', 'pickle'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_unknown_name():
    with pytest.raises(InvalidArgumentError, match="'jsno', did you mean 'json'") as caught:
        get_serializer("jsno")
    assert all(repr(name) in str(caught.value) for name in NAMES)
    with pytest.raises(InvalidArgumentError, match="no serializer is called 'qqqqqq'; known are"):
        get_serializer("qqqqqq")


@pytest.mark.parametrize("spec", [3, object(), b"json", [], types.SimpleNamespace(dumps=1, loads=2), dict])
def test_what_is_no_serializer(spec):
    with pytest.raises(InvalidArgumentError, match="a serializer is one of the names"):
        get_serializer(spec)


def test_class_that_needs_arguments():
    with pytest.raises(InvalidArgumentError, match="NeedsArgument cannot be made without arguments"):
        get_serializer(NeedsArgument)


def test_missing_package_tells_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "holdall.serializers.npy", raising=False)
    with pytest.raises(UnsupportedError, match=r'pip install "holdall\[arrays\]"') as caught:
        get_serializer("npy")
    assert isinstance(caught.value.__cause__, ImportError)


@pytest.mark.parametrize("suffix", [".xyz", "", ".", None, 3])
def test_unknown_suffix(suffix):
    with pytest.raises(InvalidArgumentError, match="suffix"):
        serializer_for_suffix(suffix)


@pytest.mark.usefixtures("registry")
def test_register():
    register("upper", Upper, suffix=".up")
    register("upper", f"{Upper.__module__}:Upper", suffix=".up")
    assert type(get_serializer("upper")) is Upper
    assert type(serializer_for_suffix("UP")) is Upper
    with pytest.raises(InvalidArgumentError, match="registered already"):
        register("upper", NeedsArgument, suffix=".up")
    register("gone", "no_such_module_at_all:Thing", suffix=".gone", extra="cloud")
    with pytest.raises(UnsupportedError, match=r'"holdall\[cloud\]"'):
        get_serializer("gone")
    register("second", f"{Upper.__module__}:NeedsArgument", suffix=".json")
    assert type(serializer_for_suffix(".json")) is JsonSerializer


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("name", "target", "suffix"),
    [
        ("", Upper, ".a"),
        (1, Upper, ".a"),
        ("a", "nocolon", ".a"),
        ("a", dict, ".a"),
        ("a", Upper, "a"),
        ("a", Upper, "."),
    ],
)
def test_register_refuses(name, target, suffix):
    with pytest.raises(InvalidArgumentError):
        register(name, target, suffix=suffix)


# -- serializers as values

OPTIONS = [
    (PickleSerializer(), "PickleSerializer(protocol=5)"),
    (PickleSerializer(4, stream_from=None), "PickleSerializer(protocol=4, stream_from=None)"),
    (JsonSerializer(), "JsonSerializer(strict=True, indent=None, sort_keys=False)"),
    (JsonSerializer(indent=2), "JsonSerializer(strict=True, indent=2, sort_keys=False)"),
    (TextSerializer(), "TextSerializer(encoding='utf-8', errors='strict', newline=None)"),
    (BytesSerializer(), "BytesSerializer()"),
    (NpySerializer(), "NpySerializer(allow_pickle=False, mmap_mode=None)"),
    (NpySerializer(mmap_mode="r"), "NpySerializer(allow_pickle=False, mmap_mode='r')"),
    (NpzSerializer(compress=True), "NpzSerializer(compress=True, allow_pickle=False, max_bytes=None)"),
    (AdaptedSerializer(json), "AdaptedSerializer(json, suffix='.json')"),
    (AdaptedSerializer(marshal, suffix=".m"), "AdaptedSerializer(marshal, suffix='.m')"),
]


@pytest.mark.parametrize(("serializer", "text"), OPTIONS)
def test_repr_equality_hash_and_pickling(serializer, text):
    assert repr(serializer) == text
    copy = pickle.loads(pickle.dumps(serializer))
    assert copy == serializer
    assert hash(copy) == hash(serializer)
    assert repr(copy) == text
    assert (copy.name, copy.suffix, copy.executes_code, copy.stream_from) == (
        serializer.name,
        serializer.suffix,
        serializer.executes_code,
        serializer.stream_from,
    )
    others = [other for other, _ in OPTIONS if other is not serializer]
    assert all(other != serializer for other in others)
    assert serializer != text


def test_used_after_pickling():
    for name in NAMES:
        copy = pickle.loads(pickle.dumps(get_serializer(name)))
        value = {"json": [1], "text": "a", "bytes": b"a", "npy": np.arange(3), "npz": {}}.get(name, {1: 2})
        assert np.array_equal(copy.loads(copy.dumps(value)), value)


def test_options_are_checked():
    for bad in (6, -1, "5", None):
        with pytest.raises(InvalidArgumentError, match="protocol"):
            PickleSerializer(bad)
    for bad in ({"encoding": "klingon"}, {"encoding": "rot13"}, {"errors": "hope"}, {"newline": "\r"}):
        with pytest.raises(InvalidArgumentError):
            TextSerializer(**bad)
    for mode in ("r+", "w+"):
        with pytest.raises(InvalidArgumentError, match="bypass the store"):
            NpySerializer(mmap_mode=mode)
    with pytest.raises(InvalidArgumentError, match="mmap_mode"):
        NpySerializer(mmap_mode="x")


def test_an_array_from_a_stream_takes_its_memory_once():
    class Stream(io.BytesIO):
        def seek(self, *_):
            raise OSError("this is a stream")

    array = np.arange(1 << 20)
    stream = Stream(NpySerializer().dumps(array))
    tracemalloc.start()
    try:
        assert np.array_equal(NpySerializer().load(stream), array)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * array.nbytes


def test_when_to_stream():
    assert PickleSerializer().stream_from == 1 << 20
    assert NpySerializer().stream_from == 1 << 18
    assert NpySerializer(mmap_mode="r").stream_from == 0
    assert JsonSerializer().stream_from is None
    assert NpySerializer(allow_pickle=True).executes_code
    assert NpzSerializer(allow_pickle=True).executes_code


# -- no copies


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("serializer", [PickleSerializer(), NpySerializer()])
def test_large_arrays_are_not_copied(serializer, order):
    array = np.ones((300, 200), order=order)
    parts = serializer.parts(array)
    assert any(np.shares_memory(np.frombuffer(part, np.uint8), array) for part in parts)
    assert sum(len(part) for part in parts) < array.nbytes + 300


def test_nested_and_plain_buffers_are_not_copied():
    array, block, view = np.ones(20_000), bytearray(100_000), b"x" * 100_000
    parts = PickleSerializer().parts({"a": [array], "b": pickle.PickleBuffer(block)})
    for buffer in (array, np.frombuffer(block, np.uint8)):
        assert any(np.shares_memory(np.frombuffer(part, np.uint8), buffer) for part in parts)
    assert any(part is view for part in PickleSerializer().parts(view))
    assert any(
        np.shares_memory(np.frombuffer(part, np.uint8), np.frombuffer(block, np.uint8))
        for part in PickleSerializer().parts(block)
    )
    (part,) = BytesSerializer().parts(block)
    assert np.shares_memory(np.frombuffer(part, np.uint8), np.frombuffer(block, np.uint8))
    assert BytesSerializer().parts(view) is view


def test_small_values_are_one_piece():
    assert type(PickleSerializer().parts({"a": np.ones(10)})) is bytes


def test_npy_over_a_bytearray_is_not_copied():
    data = bytearray(NpySerializer().dumps(np.ones(1000)))
    array = NpySerializer().loads(data)
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    frozen = bytes(data)
    assert not np.shares_memory(NpySerializer().loads(frozen), np.frombuffer(frozen, np.uint8))


def test_small_views_are_kept_as_copies():
    pieces = serializers.pickle_.Pieces()
    reused = bytearray(b"first")
    pieces.write(memoryview(reused))
    reused[:] = b"other"
    assert pieces.parts == [b"first"]


# -- corrupt data

SAMPLES = [
    (PickleSerializer(), {"a": [1, "é", None, (2.5,)]}),
    (PickleSerializer(), None),
    (PickleSerializer(), 46),
    (PickleSerializer(2), {"a": [1]}),
    (PickleSerializer(0), {"a": [1]}),
    (JsonSerializer(), {"a": [1, "é", None]}),
    (JsonSerializer(), "text"),
    (NpySerializer(), np.arange(5, dtype=">i2")),
    (NpySerializer(mmap_mode="r"), np.arange(5)),
    (NpySerializer(), np.zeros((0, 3))),
    (NpySerializer(), np.zeros(2, [("温度", "f4")])),
    (NpzSerializer(), {"a": np.arange(3), "b": np.ones(2)}),
    (NpzSerializer(compress=True), {"a": np.arange(3)}),
    (AdaptedSerializer(pickle), [1, 2]),
    (AdaptedSerializer(json), [1, 2]),
]


@pytest.mark.parametrize(("serializer", "value"), SAMPLES)
def test_truncation_always_raises(serializer, value, tmp_path):
    data = serializer.dumps(value)
    for end in range(len(data)):
        with pytest.raises(Exception):  # noqa: B017
            serializer.loads(data[:end])
        path = tmp_path / "cut"
        path.write_bytes(data[:end])
        with pytest.raises(Exception), open(path, "rb", buffering=0) as file:  # noqa: B017
            serializer.load(file)


@pytest.mark.parametrize(("serializer", "value"), SAMPLES[:-2])
@pytest.mark.parametrize("garbage", [b"x", b".", b"N.", b"{}", bytes(300)])
def test_what_follows_the_data_is_corrupt(serializer, value, garbage, tmp_path):
    data = serializer.dumps(value) + garbage
    path = tmp_path / "longer"
    path.write_bytes(data)
    with pytest.raises(CorruptValueError):
        serializer.loads(data)
    with pytest.raises(CorruptValueError), open(path, "rb", buffering=0) as file:
        serializer.load(file)


def test_large_pickle_with_garbage_or_cut(tmp_path):
    value = [np.ones(100_000), "end"]
    data = bytes(join_parts(PickleSerializer().parts(value)))
    path = tmp_path / "file"
    for bad in (data + b"x", data[:-1], data[:400_000], data[:70]):
        path.write_bytes(bad)
        with pytest.raises(Exception), open(path, "rb", buffering=0) as file:  # noqa: B017
            PickleSerializer().load(file)
        with pytest.raises(Exception):  # noqa: B017
            PickleSerializer().loads(bad)


def test_npz_notices_a_flipped_bit():
    data = bytearray(NpzSerializer().dumps({"a": np.arange(100)}))
    data[400] ^= 1
    with pytest.raises(CorruptValueError):
        NpzSerializer().loads(bytes(data))


def npy(header, body=b"", version=(1, 0)):
    text = header.encode() + b"\n"
    return (
        b"\x93NUMPY"
        + bytes(version)
        + struct.pack("<H" if version == (1, 0) else "<I", len(text))
        + text
        + body
    )


@pytest.mark.parametrize(
    "data",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 50,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1125899906842624,)}", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}", bytes(8)),
        npy("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,)}", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': 1}", bytes(8)),
        npy("__import__('os').system('true')", bytes(8)),
        npy("(" * 5000, bytes(8), (2, 0)),
        npy(" " * 200_000 + "{'descr': '<f8', 'fortran_order': False, 'shape': ()}", bytes(8), (2, 0)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", bytes(8), (4, 0)),
        b"\x93NUMPY\x03\x00\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("mode", [None, "r"])
def test_hostile_npy_headers(data, mode, tmp_path):
    serializer = NpySerializer(mmap_mode=mode)
    path = tmp_path / "hostile"
    path.write_bytes(data)
    with pytest.raises(CorruptValueError):
        serializer.loads(data)
    with pytest.raises(CorruptValueError), open(path, "rb", buffering=0) as file:
        serializer.load(file)


def test_nothing_runs_on_loading(tmp_path):
    RAN.clear()
    array = np.array([Trap()], object)
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    hostile = file.getvalue()
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.npy", hostile)
    path = tmp_path / "hostile.npy"
    path.write_bytes(hostile)
    for serializer, data in (
        (NpySerializer(), hostile),
        (NpySerializer(mmap_mode="r"), hostile),
        (NpzSerializer(), zipped.getvalue()),
        (NpySerializer(), pickle.dumps(Trap())),
        (NpzSerializer(), pickle.dumps(Trap())),
        (JsonSerializer(), pickle.dumps(Trap())),
        (JsonSerializer(), b'__import__("os")'),
        (TextSerializer(), pickle.dumps(Trap())),
    ):
        with pytest.raises(SerializationError):
            serializer.loads(data)
    for mode in (None, "r"):
        with pytest.raises(SerializationError, match="allow_pickle=True"), open(path, "rb", 0) as raw:
            NpySerializer(mmap_mode=mode).load(raw)
    assert RAN == []
    pickle.loads(pickle.dumps(Trap()))
    assert RAN == ["ran"]  # the trap works


# -- pickle


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (threading.Lock(), "lock"),
        (lambda: 0, "function"),
        ([threading.Lock()], "list"),
        (iter([]).__reduce__, "builtin"),
    ],
)
def test_unpicklable(value, name):
    for write in (PickleSerializer().dumps, PickleSerializer().parts):
        if name == "builtin":
            write(value)
            continue
        with pytest.raises(SerializationError, match=rf"type {name} cannot be pickled") as caught:
            write(value)
        assert caught.value.__cause__ is not None


def test_unpicklable_after_a_large_buffer_or_too_deep():
    with pytest.raises(SerializationError, match="list cannot be pickled"):
        PickleSerializer().parts([np.ones(100_000), threading.Lock()])
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for write in (PickleSerializer().dumps, PickleSerializer().parts):
        with pytest.raises(SerializationError, match="recursion"):
            write(deep)


def test_shared_objects_stay_shared(tmp_path):
    array = np.ones(100_000)
    cycle = [array, array]
    cycle.append(cycle)
    path = tmp_path / "cycle"
    with open(path, "wb", buffering=0) as file:
        PickleSerializer().dump(cycle, file)
    with open(path, "rb", buffering=0) as file:
        back = PickleSerializer().load(file)
    assert back[0] is back[1]
    assert back[2] is back
    assert back[0].flags.writeable
    assert np.array_equal(back[0], array)


# -- json


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, 2, (3,)]}, r"$.a[2]: tuple would come back as list"),
        ((1,), "$: tuple would come back as list"),
        ([Point(1, 2)], "$[0]: Point would come back as list"),
        ({"a": {1: 2}}, "$.a: the key 1 is int, keys of JSON are str"),
        ({True: 2}, "$: the key True is bool"),
        ({None: 2}, "$: the key None is NoneType"),
        ({(1, 2): 2}, "$: the key (1, 2) is tuple"),
        ({"odd key": [{1, 2}]}, '$["odd key"][0]: set is not a type of JSON'),
        ([b"x"], "$[0]: bytes is not a type of JSON"),
        ([0.5, float("nan")], "$[1]: nan is not JSON"),
        ({"x": float("-inf")}, "$.x: -inf is not JSON"),
        (["\ud83d\ude00"], "$[0]: a pair of surrogates"),
        ([10**5000], "$[0]: Exceeds the limit"),
        ([np.float32(1)], "$[0]: float32 is not a type of JSON"),
    ],
)
def test_json_names_the_place(value, message):
    with pytest.raises(SerializationError) as caught:
        JsonSerializer().dumps(value)
    assert str(caught.value).startswith(message)


def test_json_cycles_and_depth():
    cycle = {"a": []}
    cycle["a"].append(cycle)
    for strict in (True, False):
        with pytest.raises(SerializationError, match=r"^\$\.a\[0\]: dict contains itself"):
            JsonSerializer(strict=strict).dumps(cycle)
        deep = []
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(SerializationError, match="recursion"):
            JsonSerializer(strict=strict).dumps(deep)
    with pytest.raises(CorruptValueError):
        JsonSerializer().loads(b"[" * 100_000)


def test_json_not_strict():
    serializer = JsonSerializer(strict=False)
    assert serializer.loads(serializer.dumps({1: (2,), "k": [None]})) == {"1": [2], "k": [None]}
    with pytest.raises(SerializationError, match="nan is not JSON"):
        serializer.dumps([float("nan")])
    with pytest.raises(SerializationError, match=r"\$\[0\]: set is not"):
        serializer.dumps([{1}])


class Text(str):
    """Text of a type of its own."""

    __slots__ = ()


DERIVED = [
    (Color.RED, "int"),
    (collections.OrderedDict(a=1), "dict"),
    (collections.defaultdict(int, a=1), "dict"),
    (collections.Counter("a"), "dict"),
    (np.float64(0.1), "float"),
    (np.str_("abc"), "str"),
    (Text("abc"), "str"),
]


@pytest.mark.parametrize(("value", "plain"), DERIVED, ids=lambda thing: type(thing).__name__)
@pytest.mark.parametrize("sort_keys", [False, True])
def test_json_refuses_what_comes_back_as_another_type(value, plain, sort_keys):
    serializer = JsonSerializer(sort_keys=sort_keys)
    for whole, where in ((value, "$"), ([1, value], "$[1]"), ({"b": 2, "a": {"x": value}}, "$.a.x")):
        with pytest.raises(
            SerializationError, match=f"{re.escape(where)}: {type(value).__name__} would .* {plain}"
        ):
            serializer.dumps(whole)
        assert JsonSerializer(strict=False).loads(JsonSerializer(strict=False).dumps(whole)) == whole
    with pytest.raises(SerializationError, match="key 'k' is Text"):
        serializer.dumps({Text("k"): 1})


@pytest.mark.parametrize(
    "value", [[True, 1, 1.0, -0.0, None, "é", {}], {"b": 1, "a": [2**70, "a" * 300]}, sys.intern("x")]
)
@pytest.mark.parametrize("sort_keys", [False, True])
def test_json_accepts_what_comes_back_the_same(value, sort_keys):
    serializer = JsonSerializer(sort_keys=sort_keys)
    assert serializer.loads(serializer.dumps(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"\xff",
        b"1 2",
        '"é"'.encode("latin1"),
        b"{'a': 1}",
    ],
)
def test_json_refuses_what_is_none(data):
    with pytest.raises(CorruptValueError, match="not JSON"):
        JsonSerializer().loads(data)


def test_json_layout():
    assert JsonSerializer().dumps({"b": "é", "a": 1}) == '{"b": "é", "a": 1}'.encode()
    assert JsonSerializer(indent=1, sort_keys=True).dumps({"b": 2, "a": 1}) == b'{\n "a": 1,\n "b": 2\n}\n'
    assert JsonSerializer().dumps("\ud800") == b'"\\ud800"'


# -- text and bytes


@pytest.mark.parametrize("value", [b"x", 1, None, ["a"]])
def test_text_keeps_only_text(value):
    with pytest.raises(SerializationError, match=f"keeps str, got {type(value).__name__}"):
        TextSerializer().dumps(value)


def test_text_that_cannot_be_written_or_read():
    with pytest.raises(SerializationError, match=r"latin-1: character '\\u20ac' at position 2 "):
        TextSerializer(encoding="latin-1").dumps("ab\u20ac")
    with pytest.raises(CorruptValueError, match="not text in utf-8"):
        TextSerializer().loads(b"\xff")
    assert TextSerializer(encoding="ascii", errors="replace").dumps("é") == b"?"
    assert TextSerializer().loads(TextSerializer().dumps("a\r\nb\rc\n")) == "a\r\nb\rc\n"


@pytest.mark.parametrize("value", ["x", 1, None, [1], np.ones(2)])
def test_bytes_keeps_only_bytes(value):
    for write in (BytesSerializer().dumps, BytesSerializer().parts):
        with pytest.raises(SerializationError, match=f"got {type(value).__name__}"):
            write(value)


def test_bytes_of_any_view():
    grid = np.arange(100_000).reshape(100, 1000)
    for array in (grid, grid.T, grid[::2, ::3], np.zeros((0, 3))):
        data = bytes(join_parts(BytesSerializer().parts(memoryview(array))))
        assert data == array.tobytes() == BytesSerializer().dumps(memoryview(array))


# -- npy and npz


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], r"got list: use numpy.asarray\(value\)"),
        (1.5, "got float"),
        (np.float64(1), "got float64"),
        (np.ma.masked_array([1, 2], [0, 1]), "got MaskedArray: the mask would be lost"),
        (np.array([{}, None]), r"holds Python objects: .*allow_pickle=True"),
        (np.zeros(1, [("a", object)]), "holds Python objects"),
        (np.ones(2).view(type("Metres", (np.ndarray,), {})), "got Metres: what it adds"),
        (np.zeros(1, {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2]}), "cannot describe"),
        (np.zeros(1, [(f"{i:0200}", "i1") for i in range(600)]), "bytes to describe"),
    ],
)
def test_npy_refuses(value, message):
    with pytest.raises(SerializationError, match=message):
        NpySerializer().parts(value)
    with pytest.raises(SerializationError, match=message):
        NpzSerializer().dumps({"a": value})


def test_npy_of_many_fields():
    array = np.zeros(2, [(f"field{i}", "i1") for i in range(4000)])
    back = NpySerializer().loads(NpySerializer().dumps(array))
    assert back.dtype == array.dtype


def test_npy_keeps_memory_order_and_accepts_plain_subclasses():
    for order in "CF":
        array = np.ones((3, 4), order=order)
        assert NpySerializer().loads(NpySerializer().dumps(array)).flags[f"{order}_CONTIGUOUS"]
    records = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    assert type(NpySerializer().loads(NpySerializer().dumps(records))) is np.ndarray


def test_npy_of_objects_when_allowed(tmp_path):
    serializer = NpySerializer(allow_pickle=True)
    array = np.array([[{"a": 1}, None]], object)
    data = serializer.dumps(array)
    assert serializer.loads(data).tolist() == array.tolist()
    assert serializer.load(io.BytesIO(data)).tolist() == array.tolist()
    with pytest.raises(CorruptValueError):
        serializer.loads(data + b"x")
    with pytest.raises(SerializationError, match="cannot be pickled"):
        serializer.dumps(np.array([threading.Lock()], object))
    with pytest.raises(SerializationError, match="cannot be mapped"):
        NpySerializer(allow_pickle=True, mmap_mode="r").load(io.BytesIO(data))
    npz = NpzSerializer(allow_pickle=True)
    assert npz.loads(npz.dumps({"a": array}))["a"].tolist() == array.tolist()


def test_npy_maps_outlive_the_file(tmp_path):
    array = np.arange(1000)
    path = tmp_path / "a.npy"
    for mode in ("r", "c"):
        serializer = NpySerializer(mmap_mode=mode)
        path.write_bytes(serializer.dumps(array))
        with open(path, "rb", buffering=0) as file:
            back = serializer.load(file)
        path.unlink()
        assert np.array_equal(back, array)
    back[0] = 7
    assert back[0] == 7


@pytest.mark.parametrize(
    "value",
    [np.ones(2), [], {1: np.ones(1)}, {"\0": np.ones(1)}, {"\ud800": np.ones(1)}, {"x" * 70_000: np.ones(1)}],
)
def test_npz_refuses(value):
    with pytest.raises(SerializationError):
        NpzSerializer().dumps(value)


def test_npz_is_deterministic_and_takes_any_name():
    value = {name: np.arange(3) for name in ("file", "a/b", "../x", "", "a.npy", "allow_pickle", "é")}
    data = NpzSerializer().dumps(value)
    assert data == NpzSerializer().dumps(value)
    assert list(NpzSerializer().loads(data)) == list(value)
    saved = io.BytesIO()
    np.savez(saved, a=np.arange(3), b=np.ones((2, 2), order="F"))
    assert np.array_equal(NpzSerializer().loads(saved.getvalue())["b"], np.ones((2, 2)))


# -- adapted


class Literal:
    """Text only: what it loads must be str."""

    suffix = ".py"
    executes_code = False

    def dumps(self, value):
        return repr(value)

    def loads(self, data):
        assert isinstance(data, str)
        return ast.literal_eval(data)


class JsonFile:
    dump = staticmethod(json.dump)
    load = staticmethod(json.load)


class PickleFile:
    dump = staticmethod(pickle.dump)
    load = staticmethod(pickle.load)


@pytest.mark.parametrize(
    ("obj", "name", "suffix", "executes"),
    [
        (json, "json", ".json", False),
        (pickle, "pickle", ".pickle", True),
        (marshal, "marshal", ".marshal", True),
        (Literal(), f"{__name__}:Literal", ".py", False),
        (JsonFile(), f"{__name__}:JsonFile", ".dat", True),
        (PickleFile(), f"{__name__}:PickleFile", ".dat", True),
        (PickleFile, f"{__name__}:PickleFile", ".dat", True),
    ],
)
def test_adapted(obj, name, suffix, executes):
    serializer = get_serializer(obj)
    assert (serializer.name, serializer.suffix, serializer.executes_code) == (name, suffix, executes)
    data = serializer.dumps([1, "é", None])
    assert type(data) is bytes
    assert serializer.loads(data) == [1, "é", None]
    assert get_serializer(obj).loads(data) == [1, "é", None]
    assert get_serializer(obj) == serializer
    if not isinstance(obj, Literal):  # whose repr writes anything
        with pytest.raises(SerializationError, match="cannot write a value of type lock"):
            serializer.dumps(threading.Lock())


def test_adapted_refuses():
    with pytest.raises(InvalidArgumentError, match="neither dumps and loads"):
        AdaptedSerializer(3)
    bad = types.SimpleNamespace(dumps=lambda value: 3, loads=lambda data: data)
    with pytest.raises(SerializationError, match="gave int"):
        AdaptedSerializer(bad).dumps(1)


def test_filler_of_pickles_is_known_and_nothing_else_may_follow():
    serializer = get_serializer("pickle")
    for value in (1, "x" * 100, list(range(1000))):
        data = serializer.dumps(value) + serializer.filler(b"12345678")
        assert serializer.loads(data) == value
        assert pickle.loads(data) == value  # any other reader, too
        for damaged in (data[:-1], data + b"x", data[:-17] + b"x" + data[-16:]):
            with pytest.raises(CorruptValueError):
                serializer.loads(damaged)
