"""HDF5 files: what is kept, what is refused, what is read lazily, and the traps of the format."""

import io
import os
import re

import h5py
import numpy as np
import pytest

from holdall import FileDirStore, MemoryStore, SQLiteStore
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers import Hdf5Serializer, WithAttributes, get_serializer, serializer_for_suffix
from holdall.serializers.hdf5 import Hdf5Array, Hdf5Group

LAZY = Hdf5Serializer(lazy=True)


def round_trip(value):
    serializer = Hdf5Serializer()
    return serializer.loads(serializer.dumps(value))


def foreign(fill, **options):
    """Make a file as another program does."""
    file = io.BytesIO()
    with h5py.File(file, "w", **options) as h5:
        fill(h5)
    return file.getvalue()


def test_it_is_known_by_name_and_suffix():
    assert get_serializer("hdf5") == serializer_for_suffix(".h5") == Hdf5Serializer()
    assert not Hdf5Serializer().executes_code
    assert repr(LAZY) == "Hdf5Serializer(lazy=True, compression=None)"
    with pytest.raises(InvalidArgumentError, match="compression is None or 'gzip', got 'lzf'"):
        Hdf5Serializer(compression="lzf")


def test_awkward_keys_come_back_in_their_order():
    keys = [
        "z",
        "/",
        "a/b",
        "a",
        ".",
        "..",
        "",
        "a\0b",
        "\ud800",
        "./a",
        "(+/-)",
        "%",
        "%2f",
        "value",
        "holdall",
        "é",
    ]
    value = {key: number for number, key in enumerate(keys)}
    assert list(round_trip(value).items()) == list(value.items())
    attributes = round_trip({"x": WithAttributes(1, value)})["x"].attrs
    assert list(attributes.items()) == list(value.items())


def test_large_attributes_and_records_of_many_fields():
    value = WithAttributes({"a": np.arange(3)}, {"big": np.arange(1 << 17), "long": "é" * (1 << 20)})
    back = round_trip(value)
    assert np.array_equal(back.attrs["big"], value.attrs["big"])
    assert back.attrs["long"] == value.attrs["long"]
    records = np.ones(2, [(f"field{number}", "<f8") for number in range(3000)])
    back = round_trip({"records": records})["records"]
    assert back.dtype == records.dtype
    assert back.tobytes() == records.tobytes()


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "float8_e4m3fn", "int4"])
def test_small_floats_keep_their_dtype(name):
    dtype = np.dtype(getattr(pytest.importorskip("ml_dtypes"), name))
    back = round_trip(np.array([1, 2, 3]).astype(dtype))
    assert back.dtype == dtype
    assert back.astype(float).tolist() == [1, 2, 3]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_classes_of_arrays_and_scalars_are_kept():
    for value in (
        np.matrix([[1, 2]]),
        np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.float32(1.5),
        np.datetime64("2020-01-01"),
        np.str_("é\ud800"),
        np.array(3),
    ):
        back = round_trip({"a": value})["a"]
        assert (type(back), back.dtype) == (type(value), value.dtype)
        assert back.tobytes() == value.tobytes()


@pytest.mark.parametrize(
    "dtype",
    [
        {"names": ["a", "b"], "formats": ["i1", "<f8"], "offsets": [0, 8], "itemsize": 24},
        {"names": ["a", "b"], "formats": ["i1", "<U1"], "offsets": [0, 20], "itemsize": 24},
    ],
)
def test_gaps_between_fields_do_not_show_what_the_memory_held(dtype):
    array = np.frombuffer(b"secret! " * 6, np.uint8).copy().view(np.dtype(dtype))
    array["a"], array["b"] = 0, 0
    assert b"cret" not in Hdf5Serializer().dumps(array)


def test_equal_values_give_equal_data_of_the_old_superblock():
    value = {"b": np.arange(3), "a": WithAttributes({"x": "t"}, {"n": 1})}
    data = Hdf5Serializer().dumps(value)
    assert data == Hdf5Serializer().dumps(value)
    assert data[8] == 2


def test_other_programs_read_it(tmp_path):
    store = FileDirStore(tmp_path, serializer="hdf5")
    store["run"] = {
        "x": WithAttributes(np.arange(3.0), {"unit": "m"}),
        "names": np.array(["é", "b"]),
        "seed": 7,
        "title": "été",
        "deep": {"flags": np.array([True, False])},
    }
    with h5py.File(store.file_of("run"), "r", locking=False) as file:
        assert file["x"][1] == 1.0
        assert file["x"].attrs["unit"] == "m"
        assert file["names"].asstr()[0] == "é"
        assert file["seed"][()] == 7
        assert file["title"].asstr()[()] == "été"
        assert file["deep/flags"][()].tolist() == [True, False]


def test_files_of_other_programs_are_read():
    def fill(file):
        file["x"] = np.arange(3)
        file["x"].attrs["unit"] = "m"
        file["50%25/text"] = "é"
        file["words"] = ["a", "b"]
        file["n"] = 5
        file["nothing"] = h5py.Empty("f4")

    back = Hdf5Serializer().loads(foreign(fill))
    assert back["x"].value.tolist() == [0, 1, 2]
    assert back["x"].attrs == {"unit": "m"}
    assert back["50%25"] == {"text": "é"}
    assert back["words"].tolist() == ["a", "b"]
    assert (back["n"], back["nothing"]) == (5, None)
    lazy = LAZY.loads(foreign(fill))
    assert lazy["50%25"]["text"] == "é"
    assert lazy["words"][1] == "b"
    assert not any(key in lazy for key in ("50%25/text", ".", "", "/", 5))
    assert lazy["x"].attrs == {"unit": "m"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": {"b": [1]}}, r"\$\['a'\]\['b'\]: hdf5 keeps numpy arrays, .* got list: use numpy.asarray"),
        ({"a": {1: 2}}, r"\$\['a'\]\[1\]: keys are str, got int: 1"),
        (np.array([None]), r"\$: an array of dtype object holds what HDF5 has no type for"),
        (
            {"a": np.array(["x"], np.dtypes.StringDType())} if hasattr(np.dtypes, "StringDType") else [],
            "astype",
        ),
        ({"a": np.ma.masked_array([1], [True])}, r"\$\['a'\]: .* got MaskedArray"),
        ({"a": np.zeros((1,) * 33)}, r"\$\['a'\]: .*[Dd]imension"),
        (WithAttributes(1, {"unit": [1]}), r"\$: attribute 'unit': .* got list"),
        (WithAttributes(1, {3: 1}), r"\$: names of attributes are str, got int: 3"),
    ],
)
def test_what_is_refused_is_named(value, message, tmp_path):
    store = FileDirStore(tmp_path, serializer="hdf5")
    store["kept"] = {"a": 1}
    with pytest.raises(SerializationError, match=message):
        store["kept"] = value
    assert store["kept"] == {"a": 1}


def test_a_dict_that_contains_itself_is_refused():
    loop = {}
    loop["again"] = loop
    with pytest.raises(SerializationError, match="deeper than 100 levels, or without end"):
        Hdf5Serializer().dumps(loop)


# -- lazily


def test_parts_are_read_from_the_file(tmp_path):
    store = FileDirStore(tmp_path, serializer=LAZY)
    store["run"] = {"x": np.arange(2_000_000.0).reshape(1000, 2000), "n": 3, "when": np.zeros(5, "M8[s]")}
    with store["run"] as run:
        assert isinstance(run, Hdf5Group)
        assert (list(run), len(run), run["n"], "x" in run, "y" in run, 3 in run) == (
            ["x", "n", "when"],
            3,
            3,
            True,
            False,
            False,
        )
        x = run["x"]
        assert isinstance(x, Hdf5Array)
        assert (x.shape, x.ndim, x.size, len(x), x.dtype) == (
            (1000, 2000),
            2,
            2_000_000,
            1000,
            np.dtype("f8"),
        )
        assert x[999, -3:].tolist() == [1999997.0, 1999998.0, 1999999.0]
        assert np.sum(x[::500]) == x[0].sum() + x[500].sum()
        assert run["when"].dtype == np.dtype("M8[s]")
        assert run["when"][2] == np.datetime64(0, "s")
        assert run["when"][1:3].shape == (2,)
        assert np.asarray(x).shape == (1000, 2000)
        assert isinstance(x.h5, h5py.Dataset)
    assert repr(run) == "<Hdf5Group, closed>"
    assert repr(x) == "<Hdf5Array, closed>"
    with pytest.raises(KeyError, match="'absent'"):
        store["run"]["absent"]


def test_an_open_value_stays_as_it_was_while_it_is_replaced(tmp_path):
    store = FileDirStore(tmp_path, serializer=LAZY)
    store["x"] = np.zeros(100_000)
    before = store["x"]
    for number in range(1, 100):
        store["x"] = np.full(100_000, float(number))
    assert before[::1000].tolist() == [0.0] * 100
    store["x"] = store["x"]
    assert store["x"][99_999] == 99.0
    del store["x"]
    assert before[0] == 0.0


@pytest.mark.parametrize("make", [MemoryStore, SQLiteStore, FileDirStore])
def test_every_store_takes_it(make):
    for serializer in (Hdf5Serializer(), LAZY):
        store = make(serializer=serializer)
        store["a"] = {"x": np.arange(3), "text": "t"}
        back = store["a"]
        assert (np.asarray(back["x"]).tolist(), back["text"]) == ([0, 1, 2], "t")


def test_a_forked_process_reads_on(tmp_path):
    store = FileDirStore(tmp_path, serializer=LAZY)
    store["x"] = np.arange(1_000_000)
    x = store["x"]
    assert x[0] == 0
    child = os.fork()
    if not child:
        os._exit(0 if all(x[at] == at for at in range(0, 1_000_000, 9973)) else 1)
    assert all(x[at] == at for at in range(999_999, 0, -9973))
    assert os.waitpid(child, 0)[1] == 0


# -- what somebody else could have written


def secret_elsewhere(file):
    file["x"] = h5py.ExternalLink("/etc/hostname", "/")


def secret_as_raw_data(file):
    file.create_dataset("x", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def loop(file):
    file["a/b"] = 1
    file["a/loop"] = file["a"]


def huge(file):
    file.create_dataset("x", (1 << 50,), "f8", chunks=(1 << 10,))


def references(file):
    file["y"] = 1
    file.create_dataset("x", data=[file["y"].ref], dtype=h5py.ref_dtype)


def named_type(file):
    file["x"] = np.dtype("f8")


def hostile_note(text):
    def fill(file):
        file.attrs["holdall"] = '{"format": 1}'
        file["x"] = np.zeros(3, "u1")
        file["x"].attrs["holdall"] = text

    return fill


@pytest.mark.parametrize(
    "fill",
    [
        secret_elsewhere,
        secret_as_raw_data,
        virtual,
        loop,
        huge,
        references,
        named_type,
        hostile_note("{"),
        hostile_note("[]"),
        hostile_note('{"dtype": "O", "raw": true}'),
        hostile_note('{"dtype": "<f8", "raw": true}'),
        hostile_note('{"dtype": {"base": "O", "shape": [2]}, "raw": true}'),
        hostile_note('{"dtype": {"base": "f8", "shape": [-5]}, "raw": true}'),
        hostile_note('{"dtype": "os.system", "raw": true}'),
        hostile_note('{"type": "int"}'),
        hostile_note('{"type": "hex"}'),
        lambda file: file.attrs.update(holdall='{"format": 2}'),
    ],
    ids=lambda fill: getattr(fill, "__name__", "fill"),
)
def test_hostile_files_are_refused(fill):
    with pytest.raises(SerializationError):
        MemoryStore({"x": foreign(fill)}, serializer="hdf5")["x"]
    with pytest.raises((SerializationError, ValueError)):
        LAZY.loads(foreign(fill)).load()


def test_cut_and_foreign_data_are_corrupt():
    data = Hdf5Serializer().dumps({"x": np.arange(1000)})
    store = MemoryStore({"cut": data[:-100], "other": b"PK\3\4", "empty": b""}, serializer="hdf5")
    for key in store:
        with pytest.raises(CorruptValueError, match="not an HDF5 file"):
            store[key]


@pytest.mark.parametrize("large", [False, True], ids=["in the first block", "after it"])
@pytest.mark.parametrize("by_file", [False, True])
def test_a_text_whose_size_overflows_is_corrupt_and_does_not_hang(tmp_path, large, by_file):
    data = bytearray(Hdf5Serializer().dumps({"a": "x" * (5000 if large else 5), "b": "z" * 100}))
    heaps = [found.start() for found in re.finditer(b"GCOL", data)]
    assert heaps
    for heap in heaps:
        at = heap + 16
        while large and at < heap + 4096:  # an object that the library reads by itself
            at += 16 + -(-int.from_bytes(data[at + 8 : at + 16], "little") // 8) * 8
        for below in (16, 17, 23):
            damaged = bytearray(data)
            damaged[at + 8 : at + 16] = (2**64 - below).to_bytes(8, "little")
            if not damaged[at]:
                damaged[at] = 9
            path = tmp_path / "damaged"
            path.write_bytes(damaged)
            # OSError is what the library finds itself, which a store takes for damage, too.
            with pytest.raises((CorruptValueError, OSError)), open(path, "rb") as file:
                Hdf5Serializer().load(file) if by_file else Hdf5Serializer().loads(bytes(damaged))
