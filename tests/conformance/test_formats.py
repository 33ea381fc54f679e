"""The formats of other programs pass the suite of serializers."""

import datetime as dt
import math

import pytest
from hypothesis import strategies as st

from holdall import FileDirStore, Store
from holdall.keys import Suffix
from holdall.serializers import CsvSerializer, GzipSerializer, IniSerializer, by_suffix, get_serializer
from holdall.testing import SerializerContract, StoreContract

text = st.text(st.characters(codec="utf-8"), max_size=6)
word = (
    st.text("abcÄ_-.% #;", min_size=1, max_size=5)
    .map(str.strip)
    .filter(lambda name: name and name[0] not in "#;[")
)
numbers = st.booleans() | st.integers(-(1 << 40), 1 << 40) | st.floats(allow_nan=False)
times = st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(2200, 1, 1)).map(  # noqa: DTZ001  (no zone)
    lambda time: time.replace(microsecond=0, fold=0)
)


class TestCsv(SerializerContract):
    values = st.lists(st.lists(text, max_size=4), max_size=4)
    refused = ("a,b", [["a", 1]], [("a",)], [{"a": "b"}], [["\ud800"]], {"a": "b"}, None, [None], ["ab"])

    def serializer(self):
        return get_serializer("csv")


class TestCsvWithHeader(SerializerContract):
    values = st.lists(text.filter(bool), unique=True, min_size=1, max_size=4).flatmap(
        lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, text)), max_size=4)
    )
    refused = ([{"a": "1"}, {"b": "1"}], [{"a": 1}], [["a"]], [{1: "a"}], [{}])

    def serializer(self):
        return CsvSerializer(header=True, delimiter=";", encoding="utf-8-sig")


class TestIni(SerializerContract):
    values = st.dictionaries(word, st.dictionaries(word, word | st.none(), max_size=3), max_size=3)
    refused = ({"s": {"a": 1}}, {"s": {"a": " x"}}, {"s": "a"}, ["s"], {"": {}}, {"s": {"a=b": "c"}}, {1: {}})

    def serializer(self):
        return IniSerializer()


class TestToml(SerializerContract):
    values = st.dictionaries(
        text,
        st.recursive(
            numbers | text | times | st.dates(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
            max_leaves=6,
        ),
        max_size=3,
    )
    refused = (None, [1], {"a": None}, {"a": (1, 2)}, {1: 2}, {"a": b"x"})

    def serializer(self):
        pytest.importorskip("tomli_w")
        return get_serializer("toml")


class TestYaml(SerializerContract):
    values = st.recursive(
        st.none() | numbers | text | times | st.dates(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    )
    refused = ((1, 2), object(), {"a": (1,)}, print)

    def serializer(self):
        pytest.importorskip("yaml")
        return get_serializer("yaml")


class TestXlsx(SerializerContract):
    cells = st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 40) | st.floats(-1e9, 1e9) | times
    values = st.dictionaries(
        st.text("abc", min_size=1, max_size=9).map(lambda name: "x" + name),
        st.lists(st.lists(cells | st.text("ab c<&é", min_size=1, max_size=5), max_size=3), max_size=3).map(
            lambda rows: _ended([_ended(row, None) for row in rows], [])
        ),
        min_size=1,
        max_size=2,
    )
    refused = (
        {},
        {"S": [["=1+1"]]},
        {"S": [[1, None]]},
        {"S": [[1], []]},
        {"S": [(1,)]},
        {"S": [["\0"]]},
        {"S": [[dt.date(2024, 1, 1)]]},
        {"S": [[b"x"]]},
        [[1]],
        {"a/b": [[1]]},
        None,
    )

    def serializer(self):
        pytest.importorskip("openpyxl")
        return get_serializer("xlsx")

    def equal(self, one, other):
        cells = [
            (a, b)
            for name in one
            for rows in zip(one[name], other[name], strict=True)
            for a, b in zip(*rows, strict=True)
        ]
        return one.keys() == other.keys() and all(
            math.isclose(a, b, rel_tol=1e-15) if isinstance(a, float) else a == b for a, b in cells
        )


def _ended(cells, empty):
    while cells and cells[-1] == empty:
        cells = cells[:-1]
    return cells


class TestParquet(SerializerContract):
    values = st.lists(st.tuples(st.integers(-9, 9), st.floats(-9, 9), text), max_size=5).map(
        lambda rows: _frame(rows)  # noqa: PLW0108  (it is defined below)
    )
    refused = ([[1]], {"a": [1]}, None)

    def serializer(self):
        pytest.importorskip("pyarrow")
        pytest.importorskip("pandas")
        return get_serializer("parquet")

    def equal(self, one, other):
        return one.equals(other)


def _frame(rows):
    import pandas as pd

    return pd.DataFrame(rows, columns=["n", "x", "name"]).astype(
        {"n": "int64", "x": "float64", "name": "str"}
    )


class TestGzip(SerializerContract):
    values = st.recursive(st.none() | text, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
    refused = ((1,), object())

    def serializer(self):
        return GzipSerializer("json", 9)


@pytest.mark.soak
class TestStoreBySuffixOverADict(StoreContract):
    keys = ("a.pkl", "b.pickle", "c/d.json", "é ü.pkl.gz")

    def open(self, place):
        return Store({}, serializer=by_suffix(other="pickle"))

    def open_with(self, place, **options):
        return Store({}, serializer=by_suffix(other="pickle"), **options)


class TestStoreBySuffix(StoreContract):
    keys = ("a.txt", "b.md", "c/d.json", "é ü.pkl.gz")

    def open(self, place):
        return FileDirStore(place / "store", serializer=by_suffix(other="json"), keys=Suffix(""))

    def open_with(self, place, **options):
        return FileDirStore(place / "store", serializer=by_suffix(other="pickle"), **options)

    def test_hostile_names_are_kept_apart_or_refused(self, place):
        """Names are those of files, so a file and a folder of one name exclude each other."""
        store = self.open(place)
        store["a/b.txt"] = "x"
        with pytest.raises(OSError, match="folder"):
            store["a"] = "x"
        assert dict(store) == {"a/b.txt": "x"}

    def intrude(self, place):
        (place / "store").mkdir()
        (place / "store" / "foreign.txt").write_text("of somebody else")
        return "foreign.txt"
