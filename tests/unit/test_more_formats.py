"""Formats by extra: msgpack, cbor, orjson, feather, parquet and CSV of frames, images, sound."""

import datetime as dt
import decimal
import io
import json
import math
import pickle
import struct
import uuid
import warnings
import wave
import zlib

import numpy as np
import pytest

from holdall import FileDirStore
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers import get_serializer

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
PACKED = {"msgpack": "msgpack", "cbor": "cbor2", "orjson": "orjson"}
COMMON = [
    None,
    True,
    -(1 << 63),
    (1 << 63) - 1,
    0.1,
    -0.0,
    1e300,
    "",
    "é\0\U0001f600",
    [],
    {},
    [1, [2, {"a": None}]],
    {"b": 1, "a": {"": []}},
]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("value", COMMON, ids=repr)
def test_plain_values_come_back(name, value):
    pytest.importorskip(PACKED[name])
    made = get_serializer(name)
    again = made.loads(made.dumps(value))
    assert repr(again) == repr(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("msgpack", {1: b"x", "n": NOON, None: math.inf}),
        ("cbor", {1: b"x", "n": NOON, "d": decimal.Decimal("1.10"), "u": uuid.UUID(int=5), "s": {1, 2}}),
        ("cbor", [1 << 200, dt.date(2026, 1, 2)]),
    ],
)
def test_types_of_their_own_come_back(name, value):
    pytest.importorskip(PACKED[name])
    made = get_serializer(name)
    assert made.loads(made.dumps(value)) == value
    nan = made.loads(made.dumps([math.nan]))[0]
    assert math.isnan(nan)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        [(1,)],
        {"a": {(1, 2): 3}},
        object(),
        Text("a"),
        bytearray(b"x"),
        1 << 200,
        NOON.date(),
        frozenset([1]),
        {1: 2},
    ],
)
def test_what_comes_back_different_is_refused(name, value):
    pytest.importorskip(PACKED[name])
    made = get_serializer(name)
    try:
        data = made.dumps(value)
    except SerializationError:
        return
    again = made.loads(data)
    assert again == value
    assert type(again) is type(value)


def test_orjson_never_makes_null_of_nan():
    pytest.importorskip("orjson")
    made = get_serializer("orjson")
    for value in (math.nan, [math.inf], {"a": NOON}, uuid.UUID(int=1)):
        with pytest.raises(SerializationError):
            made.dumps(value)
    assert type(made)(strict=False).loads(type(made)(strict=False).dumps({1: math.nan})) == {"1": None}
    assert json.loads(type(made)(indent=2).dumps({"a": [1]})) == {"a": [1]}
    with pytest.raises(InvalidArgumentError, match="indent=4"):
        type(made)(indent=4)


@pytest.mark.parametrize("name", PACKED)
def test_damaged_packed_data(name):
    pytest.importorskip(PACKED[name])
    made = get_serializer(name)
    data = made.dumps({"a": [1, "xyz"], "b": {"c": [True]}})
    for wrong in [data[:n] for n in range(len(data))] + [
        data + b"\0",
        data + data,
        b"\xc1",
        b"\x9f" * 10_000,
    ]:
        with pytest.raises(CorruptValueError):
            made.loads(wrong)
    deep = [1]
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SerializationError):
        made.dumps(deep)


@pytest.fixture
def pd():
    pytest.importorskip("pyarrow")
    return pytest.importorskip("pandas")


FRAMES = ["parquet", "feather"]


def frames(pd):
    yield pd.DataFrame({"n": [1, 2], "s": ["a", None], "f": [0.1, math.nan]})
    yield pd.DataFrame({"n": [1, 2]}, index=pd.Index(["x", "y"], name="who"))
    yield pd.DataFrame({"n": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["p", "q"]))
    yield pd.DataFrame({"t": pd.date_range("2026-01-01", periods=2, tz="UTC")})
    yield pd.DataFrame({"c": pd.Categorical(["a", "b"])}, index=pd.RangeIndex(2, 6, 2))
    yield pd.DataFrame({"n": [1, 2]}, index=pd.date_range("2026-01-01", periods=2))
    yield pd.DataFrame(
        {"n": [1, 2]}, index=pd.date_range("2026-01-01", periods=2, freq="W-SUN", tz="Europe/Berlin")
    )
    yield pd.DataFrame({"n": [1, 2]}, index=pd.timedelta_range("0h", periods=2, freq="15min", name="after"))
    yield pd.DataFrame({"n": [1, 2]}, index=pd.DatetimeIndex(["2026-01-01", "2026-01-05"]))
    yield pd.DataFrame([[1, 2]], columns=pd.date_range("2026-01-01", periods=2, freq="W-SUN"))


@pytest.mark.parametrize("name", FRAMES)
def test_frames_come_back(name, pd):
    made = get_serializer(name)
    for frame in frames(pd):
        again = made.loads(made.dumps(frame))
        pd.testing.assert_frame_equal(again, frame, check_freq=True)
        assert list(again.index.names) == list(frame.index.names)


def test_a_frame_with_a_freq_keeps_its_attributes_and_one_that_others_changed_is_read(pd):
    import pyarrow as pa
    from pyarrow import parquet

    made = get_serializer("parquet")
    frame = pd.DataFrame({"n": [1, 2, 3]}, index=pd.date_range("2026-01-01", periods=3))
    frame.attrs = {"unit": "m"}
    data = made.dumps(frame)
    assert made.loads(data).attrs == {"unit": "m"}
    table = parquet.read_table(pa.BufferReader(data))
    file = pa.BufferOutputStream()
    parquet.write_table(table.take([0, 2, 1]), file)  # as another program might
    changed = made.loads(file.getvalue().to_pybytes())
    assert changed["n"].tolist() == [1, 3, 2]
    assert changed.index.freq is None


def lossy(pd):
    frame = pd.DataFrame({"n": [1, 2]})
    yield frame.set_flags(allows_duplicate_labels=False)
    named = frame.copy()
    named.columns.name = "columns"
    yield named
    yield pd.DataFrame({"n": [1, 2]}, index=pd.Index([1, 2], dtype="object"))
    holidays = pd.offsets.CustomBusinessDay(holidays=["2026-01-02"])
    yield pd.DataFrame({"n": [1, 2]}, index=pd.date_range("2026-01-01", periods=2, freq=holidays))
    yield pd.DataFrame([[1, 2]], columns=pd.date_range("2026-01-01", periods=2, freq=holidays))
    yield pd.DataFrame({"n": [[1], [2]]})
    yield pd.DataFrame({"n": [(1,), (2,)]})
    yield pd.DataFrame({1: [1]})
    yield type("Frame", (pd.DataFrame,), {})({"n": [1]})
    kept = frame.copy()
    kept.attrs["unit"] = ("s", 1)
    yield kept
    yield pd.DataFrame([[1, 2]], columns=["a", "a"])


@pytest.mark.parametrize("name", FRAMES)
def test_frames_come_back_whole_or_are_refused(name, pd, tmp_path):
    store = FileDirStore(tmp_path, serializer=name)
    store["a"] = pd.DataFrame({"old": [1]})
    for number, frame in enumerate(lossy(pd)):
        try:
            with warnings.catch_warnings(action="ignore"):
                store["b"] = frame
        except SerializationError:
            with pytest.raises(SerializationError):
                store["a"] = frame
            assert store["a"]["old"][0] == 1
            continue
        again = store.pop("b")
        assert type(again) is type(frame), number
        assert again.attrs == frame.attrs, number
        assert again.flags == frame.flags, number
        assert again.columns.identical(frame.columns), number
        assert again.index.identical(frame.index), number
        assert again.map(repr).equals(frame.map(repr)), number
    for value in (1, None, {"a": 1}, pd.Series([1])):
        with pytest.raises(SerializationError, match=r"pandas\.DataFrame"):
            store["a"] = value
    with pytest.raises(CorruptValueError):
        get_serializer(name).loads(b"PAR1 no table")


def test_parquet_keeps_attributes(pd):
    made = get_serializer("parquet")
    frame = pd.DataFrame({"n": [1]})
    frame.attrs["unit"] = "s"
    assert made.loads(made.dumps(frame)).attrs == {"unit": "s"}


def test_frames_in_csv(pd):
    made = get_serializer("pandas-csv")
    frame = pd.DataFrame({"n": [1, 2], "f": [0.1 + 0.2, 1e-300], "s": ["a", "b,c"]})
    data = made.dumps(frame)
    assert data.splitlines()[0] == b"n,f,s"
    pd.testing.assert_frame_equal(made.loads(data), frame)
    for wrong in (
        pd.DataFrame({"s": ["007", "1"]}),  # would be numbers
        pd.DataFrame({"n": [1]}, index=[5]),
        pd.DataFrame({"t": pd.date_range("2026-01-01", periods=1)}),
    ):
        with pytest.raises(SerializationError, match="come back different"):
            made.dumps(wrong)
    by_type = type(made)(types={"s": str}, dates=["t"], delimiter=";")
    frame = pd.DataFrame(
        {"s": ["007", "1"], "t": pd.to_datetime(["2026-01-01 00:00:01", "2026-01-02 03:04:05"])}
    )
    frame = frame.astype({"t": by_type.loads(b"s;t\n1;2026-01-01\n").dtypes["t"]})
    assert by_type.loads(by_type.dumps(frame)).equals(frame)
    indexed = type(made)(index=True)
    frame = pd.DataFrame({"n": [1]}, index=pd.Index([5], name="id"))
    assert indexed.loads(indexed.dumps(frame)).equals(frame)
    assert pickle.loads(pickle.dumps(by_type)) == by_type != made
    assert hash(by_type) == hash(pickle.loads(pickle.dumps(by_type)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16", "LA"])
def test_images_come_back(mode):
    image = pytest.importorskip("PIL.Image")
    made = get_serializer("image")
    picture = image.new(mode, (5, 3), 1 if mode in {"1", "L", "P", "I;16"} else None)
    again = made.loads(made.dumps(picture))
    assert (again.mode, again.size, again.tobytes()) == (picture.mode, picture.size, picture.tobytes())


def test_images_are_refused_or_read(tmp_path):
    image = pytest.importorskip("PIL.Image")
    made = get_serializer("image")
    picture = image.effect_noise((20, 20), 50)
    for wrong in (b"", 5, np.zeros((2, 2)), picture.convert("F"), picture.convert("CMYK")):
        with pytest.raises(SerializationError):
            made.dumps(wrong)
    jpeg = type(made)("jpg")
    with pytest.raises(SerializationError, match=r"strict=False"):
        jpeg.dumps(picture)
    loose = type(made)("jpg", strict=False)
    assert loose.suffix == ".jpg"
    assert loose.loads(loose.dumps(picture)).size == (20, 20)
    assert made.loads(loose.dumps(picture)).size == (20, 20)  # whatever was written
    store = FileDirStore(tmp_path, serializer=type(made)("webp"))
    store["a"] = picture.convert("RGB")
    assert store["a"].tobytes() == picture.convert("RGB").tobytes()
    with pytest.raises(InvalidArgumentError, match="format is one of"):
        type(made)("eps")


def test_images_that_claim_much_or_run_something():
    pytest.importorskip("PIL.Image")
    made = get_serializer("image")

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 2, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(CorruptValueError):
        made.loads(huge)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    with pytest.raises(CorruptValueError, match="cannot identify"):
        made.loads(eps)
    small = type(made)(max_pixels=5)
    from PIL import Image

    data = made.dumps(Image.new("L", (3, 2)))
    with pytest.raises(CorruptValueError, match="3 x 2 pixels, more than the 5"):
        small.loads(data)
    good = made.dumps(Image.new("L", (30, 20)))
    for end in range(len(good) - 20):  # what comes then are a checksum and the last chunk
        with pytest.raises(CorruptValueError):
            made.loads(good[:end])


def test_sound_of_the_standard_library(tmp_path):
    from holdall.serializers import Sound

    made = get_serializer("wave")
    for sound in (Sound(b"\1\0\2\0", 8000), Sound(b"\1\2\3" * 4, 48_000, 2, 3), Sound(b"", 1)):
        data = made.dumps(sound)
        assert made.loads(data) == sound
        with wave.open(io.BytesIO(data)) as file:
            assert file.getframerate() == sound.rate
    for wrong in (b"\0", (b"", 1), Sound(b"\1", 8000), Sound(b"", 0), Sound(b"", 8000, 1, 9), Sound([1], 8)):
        with pytest.raises(SerializationError):
            made.dumps(wrong)
    data = made.dumps(Sound(bytes(100), 8000))
    for end in range(len(data)):
        with pytest.raises(CorruptValueError):
            made.loads(data[:end])
    store = FileDirStore(tmp_path, serializer="wave")
    store["a"] = Sound(bytes(100), 100)
    assert (tmp_path / "a.wav").exists()
    assert FileDirStore(tmp_path)["a"].seconds == 0.5


def test_sound_of_soundfile(tmp_path):
    pytest.importorskip("soundfile")
    made = get_serializer("audio")
    samples = np.arange(-50, 50, dtype="int16")
    for value in ((samples, 8000), (samples.reshape(50, 2), 44_100)):
        again, rate = made.loads(made.dumps(value))
        assert again.dtype == "int16"
        assert (again.tolist(), rate) == (value[0].tolist(), value[1])
    for wrong in (
        samples,
        (samples, "x"),
        (samples / 2, 8000),
        (samples.astype("int32"), 8000),
        5,
        (samples,),
    ):
        with pytest.raises(SerializationError):
            made.dumps(wrong)
    floats = type(made)("wav", subtype="FLOAT", dtype="float32")
    again, _ = floats.loads(floats.dumps((np.float32([0.1, -2]), 8000)))
    assert again.tolist() == np.float32([0.1, -2]).tolist()
    with pytest.raises(CorruptValueError):
        made.loads(b"no sound")
    for wrong in ({"format": "xyz"}, {"subtype": "x"}, {"dtype": "int8"}):
        with pytest.raises(InvalidArgumentError):
            type(made)(**wrong)
