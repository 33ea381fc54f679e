"""Every serializer and key codec passes the one suite."""

from enum import IntEnum

import pytest
from hypothesis import strategies as st

from holdall.keys import AnyKeys, Digest, PathKeys, Prefix, Suffix, Template, Under
from holdall.serializers import LineSerializer, get_serializer
from holdall.testing import KeyCodecContract, SerializerContract

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


class TestPickle(SerializerContract):
    values = st.recursive(scalars | st.binary(), lambda inner: st.tuples(inner) | st.sets(st.integers()))
    refused = (lambda: None,)

    def serializer(self):
        return get_serializer("pickle")


class TestJson(SerializerContract):
    values = json_values
    refused = (object(), (1, 2), {1: 2}, float("nan"), {"a": {1}}, b"x")

    def serializer(self):
        return get_serializer("json")


class TestLine(SerializerContract):
    values = json_values | TestPickle.values
    refused = (lambda: None,)

    def serializer(self):
        return get_serializer("line")

    def equal(self, one, other):
        return repr(one) == repr(other) or one == other


class TestLineWithoutPickles(SerializerContract):
    values = json_values
    refused = (object(), (1, 2), {1: 2}, float("nan"), {"a": {1}}, b"x", IntEnum("E", "a").a)

    def serializer(self):
        return LineSerializer(pickles=False)


class TestText(SerializerContract):
    values = st.text(st.characters(codec="utf-8"))
    refused = (b"x", 1, None, "\ud800")

    def serializer(self):
        return get_serializer("text")


class TestBytes(SerializerContract):
    values = st.binary()
    refused = ("x", 1, None)

    def serializer(self):
        return get_serializer("bytes")


class TestNpy(SerializerContract):
    values = st.lists(st.floats(allow_nan=False)).map(lambda xs: pytest.importorskip("numpy").asarray(xs))
    refused = ([1], 1.0)

    def serializer(self):
        pytest.importorskip("numpy")
        return get_serializer("npy")

    def equal(self, one, other):
        return type(one) is type(other) and one.dtype == other.dtype and one.tolist() == other.tolist()


class TestNpz(TestNpy):
    values = st.dictionaries(st.text("abc/", min_size=1), TestNpy.values)
    refused = ([1], {"a": 1}, {1: 2})

    def serializer(self):
        pytest.importorskip("numpy")
        return get_serializer("npz")

    def equal(self, one, other):
        return one.keys() == other.keys() and all(TestNpy.equal(self, one[name], other[name]) for name in one)


any_text = st.text(st.characters(), max_size=40) | st.text("ab./%~ ", max_size=12)
literals = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.binary()
    | any_text
    | st.sampled_from([int, str, bool, tuple, type(None)]),
    lambda inner: st.tuples(inner, inner) | st.frozensets(st.integers() | st.text(), max_size=3),
    max_leaves=5,
)


class TestPathKeys(KeyCodecContract):
    keys = any_text
    refused = (1, None, ("a",), b"a")

    def codec(self):
        return PathKeys()


class TestPathKeysWithSuffix(TestPathKeys):
    def codec(self):
        return PathKeys(suffix=".json")


@pytest.mark.soak
class TestPathKeysFolded(TestPathKeys):
    def codec(self):
        return PathKeys(suffix=".json", fold_case=True)


@pytest.mark.soak
class TestPathKeysHidden(TestPathKeys):
    def codec(self):
        return PathKeys(suffix=".txt", hidden=True)


class TestPathKeysOfTuples(KeyCodecContract):
    keys = st.lists(any_text, min_size=1, max_size=4).map(tuple)
    refused = (1, None, (), [], (1,), [[1]], {"a"})

    def codec(self):
        return PathKeys(suffix=".json", tuples=True)


class TestAnyKeys(KeyCodecContract):
    keys = literals
    refused = ([], {}, {1}, object(), ([],))

    def codec(self):
        return AnyKeys()


@pytest.mark.soak
class TestAnyKeysInFiles(TestAnyKeys):
    def codec(self):
        return AnyKeys() | PathKeys(suffix=".pkl")


names = st.text("ab_. é", min_size=1, max_size=6).filter(lambda text: text not in {".", ".."})


class TestTemplateOfOneField(KeyCodecContract):
    keys = st.text("ab_. é", min_size=1, max_size=12)
    refused = (1, None, "", "../x", "/x", "x/", "a//b", "\0", "\ud800", ("a",))

    def codec(self):
        return Template("{}.wav")


class TestTemplate(KeyCodecContract):
    keys = st.tuples(names, names, st.integers(-9999, 9999), st.sampled_from("abc"))
    refused = (1, None, "a/b_1-a", ("a", "b"), ("a/b", "c", 1, "a"), ("a", "b", "1", "a"), ("a", "b", 1, "d"))

    def codec(self):
        return Template("data/{country}/{city}_{year:04d}-{::[abc]}.json")


@pytest.mark.soak
class TestTemplateOfNamedTuples(TestTemplate):
    text = "data/{country}/{city}_{year:04d}-{kind::[abc]}.json"
    keys = TestTemplate.keys.map(Template(text).to_namedtuple)

    def codec(self):
        return Template(self.text, keys="namedtuple")


@pytest.mark.soak
class TestTemplateOfDicts(TestTemplateOfNamedTuples):
    keys = TestTemplate.keys.map(Template(TestTemplateOfNamedTuples.text).to_dict)

    def codec(self):
        return Template(self.text, keys="dict")


@pytest.mark.soak
class TestTemplateOfWholeNames(TestTemplateOfNamedTuples):
    keys = TestTemplate.keys.map(Template(TestTemplateOfNamedTuples.text).to_str)

    def codec(self):
        return Template(self.text, keys="str")


@pytest.mark.soak
class TestTemplateInAChain(TestTemplate):
    def codec(self):
        return super().codec() | PathKeys()


class TestPrefix(KeyCodecContract):
    keys = any_text
    refused = (1, None)

    def codec(self):
        return Prefix("run-")


class TestSuffix(TestPrefix):
    def codec(self):
        return Suffix(".txt") | PathKeys()


class TestDigest(KeyCodecContract):
    keys = literals
    refused = ([], object())

    def codec(self):
        return Digest()


class TestUnder(KeyCodecContract):
    keys = any_text

    def codec(self):
        return Under(PathKeys(suffix=".json"), "folder")
