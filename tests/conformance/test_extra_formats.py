"""The formats that come by extras pass the suite of serializers."""

import datetime as dt
import decimal
import math
import uuid

import pytest
from hypothesis import strategies as st

from holdall.serializers import AudioSerializer, ImageSerializer, Sound, get_serializer
from holdall.testing import SerializerContract

text = st.text(st.characters(codec="utf-8"), max_size=6)
whole = st.integers(-(1 << 63), (1 << 64) - 1)
times = st.datetimes(timezones=st.just(dt.UTC))


def nested(leaves, keys):
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    )


class TestMsgpack(SerializerContract):
    # Equal keys of two types are one: 1 and 1.0, 1 and True.
    values = nested(
        st.none() | st.booleans() | whole | st.floats(allow_nan=False) | text | st.binary(max_size=9) | times,
        text | st.binary(max_size=3),
    )
    refused = ((1, 2), {"a": (1,)}, 1 << 64, object(), {1, 2}, {"a": dt.datetime(2026, 1, 1)}, "\ud800")  # noqa: DTZ001

    def serializer(self):
        pytest.importorskip("msgpack")
        return get_serializer("msgpack")


class TestCbor(SerializerContract):
    values = nested(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text | st.binary(max_size=9)
        | times | st.dates() | st.uuids() | st.decimals(allow_nan=False, allow_infinity=False)
        | st.sets(st.integers(), max_size=3),
        text | st.binary(max_size=3),
    )  # fmt: skip
    refused = (
        (1, 2),
        {"a": (1,)},
        object(),
        bytearray(b"x"),
        dt.time(),
        decimal.Decimal("Infinity"),
        "\ud800",
    )

    def serializer(self):
        pytest.importorskip("cbor2")
        return get_serializer("cbor")


class TestOrjson(SerializerContract):
    values = nested(
        st.none() | st.booleans() | whole | st.floats(allow_nan=False, allow_infinity=False) | text, text
    )
    refused = (
        (1, 2), {1: 2}, 1 << 64, math.nan, math.inf, b"x", object(), {1}, decimal.Decimal(1),
        uuid.UUID(int=1), dt.date(2026, 1, 1), "\ud800",
    )  # fmt: skip

    def serializer(self):
        pytest.importorskip("orjson")
        return get_serializer("orjson")


def frames():
    def made(rows):
        import pandas as pd

        types = {"n": "int64", "x": "float64", "name": "str", "flag": "bool"}
        return pd.DataFrame(rows, columns=list(types)).astype(types)

    row = st.tuples(st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False), text, st.booleans())
    return st.lists(row, max_size=5).map(made)


@pytest.mark.soak
class TestFeather(SerializerContract):
    values = frames()
    refused = ([[1]], {"a": [1]}, None)

    def serializer(self):
        pytest.importorskip("pyarrow")
        return get_serializer("feather")

    def equal(self, one, other):
        return one.equals(other) and list(one.dtypes) == list(other.dtypes)


class Images(SerializerContract):
    refused = (None, b"x", [[1]], "a.png")

    @property
    def values(self):
        sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))

        def drawn(mode, size, data):
            from PIL import Image

            channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
            wanted = channels * size[0] * size[1]
            return Image.frombytes(mode, size, (data * wanted)[:wanted])

        return st.builds(drawn, st.sampled_from(self.modes), sizes, st.binary(min_size=1, max_size=100))

    def serializer(self):
        pytest.importorskip("PIL")
        return ImageSerializer(self.format)

    def equal(self, one, other):
        return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


class TestPng(Images):
    format, modes = "png", ("L", "RGB", "RGBA")


@pytest.mark.soak
class TestBmp(Images):
    format, modes = "bmp", ("L", "RGB")


@pytest.mark.soak
class TestTiff(Images):
    format, modes = "tiff", ("L", "RGB", "RGBA")


class TestWave(SerializerContract):
    values = st.builds(
        lambda data, rate, channels, width: Sound(
            data[: len(data) // (channels * width) * channels * width], rate, channels, width
        ),
        st.binary(max_size=60),
        st.integers(1, 1 << 20),
        st.integers(1, 8),
        st.integers(1, 4),
    )
    refused = (
        None, b"x", (b"", 8000, 1, 2), Sound(b"", 0), Sound(b"", 8000, 0), Sound(b"", 8000, 1, 5),
        Sound(b"abc", 8000),
    )  # fmt: skip

    def serializer(self):
        return get_serializer("wave")


class TestAudio(SerializerContract):
    format, dtype = "flac", "int16"
    refused = (None, b"x", [1, 2], ([1, 2], 8000, 1))

    @property
    def values(self):
        import numpy as np

        limits = np.iinfo(self.dtype)
        samples = st.lists(st.integers(limits.min, limits.max), min_size=2, max_size=20)

        def made(numbers, channels, rate):
            table = np.array(numbers[: len(numbers) // channels * channels], self.dtype)
            return (table if channels == 1 else table.reshape(-1, channels)), rate

        return st.builds(made, samples, st.integers(1, 2), st.sampled_from([1, 8000, 44_100, 96_000]))

    def serializer(self):
        pytest.importorskip("soundfile")
        return AudioSerializer(self.format, dtype=self.dtype)

    def equal(self, one, other):
        return one[0].dtype == other[0].dtype and one[0].tolist() == other[0].tolist() and one[1] == other[1]


@pytest.mark.soak
class TestAudioAsWave(TestAudio):
    format = "wav"
