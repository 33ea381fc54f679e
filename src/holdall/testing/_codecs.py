"""The laws of serializers and key codecs."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdall.abc import NOT_MINE, KeyCodec, Serializer, join_parts
from holdall.errors import InvalidKeyError, SerializationError, UnsupportedError

_relaxed = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
)


class SerializerContract:
    """The laws of serializers; subclass it and give `serializer` and `values`.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> class TestJson(SerializerContract):
    ...     values = st.lists(st.integers())
    ...     refused = (object(), (1, 2))
    ...     def serializer(self):
    ...         return get_serializer("json")
    """

    #: A Hypothesis strategy of values that come back equal.
    values: st.SearchStrategy[Any] = st.nothing()
    #: Values that are refused.
    refused: tuple[Any, ...] = ()

    def serializer(self) -> Serializer[Any]:
        """Make the serializer."""
        raise UnsupportedError("a contract needs serializer(): say how to make it")

    def equal(self, one: Any, other: Any) -> bool:
        """Tell whether a value came back."""
        return type(one) is type(other) and bool(one == other)

    @_relaxed
    @given(data=st.data())
    def test_values_come_back(self, data: st.DataObject) -> None:
        """Loading what was dumped gives an equal value, as often as it is loaded."""
        serializer, value = self.serializer(), data.draw(self.values)
        dumped = serializer.dumps(value)
        assert isinstance(dumped, bytes)
        assert self.equal(value, serializer.loads(dumped))
        assert self.equal(value, serializer.loads(dumped))

    @_relaxed
    @given(data=st.data())
    def test_pieces_are_the_data(self, data: st.DataObject) -> None:
        """What parts() gives, joined, loads as the value."""
        serializer, value = self.serializer(), data.draw(self.values)
        assert self.equal(value, serializer.loads(join_parts(serializer.parts(value))))

    @_relaxed
    @given(data=st.data())
    def test_files_hold_the_same_as_bytes(self, data: st.DataObject, tmp_path: Path) -> None:
        """Writing to and reading from a real, unbuffered file is dumping and loading."""
        serializer, value = self.serializer(), data.draw(self.values)
        path = tmp_path / "value"
        with path.open("wb") as file:
            serializer.dump(value, file)
        assert self.equal(value, serializer.loads(path.read_bytes()))
        with path.open("rb", buffering=0) as raw:
            assert self.equal(value, serializer.load(raw))

    def test_what_is_refused_says_so(self) -> None:
        """A value that cannot be written raises SerializationError."""
        for value in self.refused:
            with pytest.raises(SerializationError):
                self.serializer().dumps(value)
            with pytest.raises(SerializationError):
                self.serializer().parts(value)

    def test_it_has_a_name_and_travels(self) -> None:
        """Name and suffix are text, and a pickled serializer is the same one."""
        serializer = self.serializer()
        assert serializer.name
        assert isinstance(serializer.name, str)
        assert isinstance(serializer.suffix, str)
        assert pickle.loads(pickle.dumps(serializer)).name == serializer.name


class KeyCodecContract:
    """The laws of key codecs; subclass it and give `codec` and `keys`.

    Examples
    --------
    >>> from holdall import Prefix
    >>> class TestPrefix(KeyCodecContract):
    ...     keys = st.text()
    ...     refused = (1, None)
    ...     def codec(self):
    ...         return Prefix("run-")
    """

    #: A Hypothesis strategy of keys that the codec accepts.
    keys: st.SearchStrategy[Any] = st.nothing()
    #: Keys that are refused.
    refused: tuple[Any, ...] = ()

    def codec(self) -> KeyCodec[Any]:
        """Make the codec."""
        raise UnsupportedError("a contract needs codec(): say how to make it")

    @_relaxed
    @given(data=st.data())
    def test_keys_come_back(self, data: st.DataObject) -> None:
        """An id is text that gives its key again, with its type."""
        codec, key = self.codec(), data.draw(self.keys)
        id = codec.encode(key)
        assert isinstance(id, str)
        assert codec.owns(id)
        if codec.reversible:
            back = codec.decode(id)
            assert (type(back), back) == (type(key), key) or key != key  # noqa: PLR0124  (nan)

    @_relaxed
    @given(data=st.data())
    def test_different_keys_have_different_ids(self, data: st.DataObject) -> None:
        """No two keys share an id."""
        codec, one, other = self.codec(), data.draw(self.keys), data.draw(self.keys)
        if (type(one), one) != (type(other), other):
            assert codec.encode(one) != codec.encode(other) or repr(one) == repr(other)

    @_relaxed
    @given(data=st.data(), text=st.text(max_size=30))
    def test_foreign_ids_are_not_mangled(self, data: st.DataObject, text: str) -> None:
        """Any id is either one that encoding gives, or not ours."""
        codec = self.codec()
        if not codec.reversible:
            return
        near = codec.encode(data.draw(self.keys))
        for id in (text, near + text, text + near, near[:-1]):
            key = codec.decode(id)
            assert key is NOT_MINE or codec.encode(key) == id
            assert list(map(repr, codec.decode_many([near, id]))) == [
                repr(key) for key in (codec.decode(near), codec.decode(id)) if key is not NOT_MINE
            ]

    def test_what_is_refused_says_so(self) -> None:
        """A key that has no name raises InvalidKeyError, a KeyError and a TypeError."""
        for key in self.refused:
            with pytest.raises(InvalidKeyError):
                self.codec().encode(key)

    def test_it_is_a_value(self) -> None:
        """Codecs made alike are equal, look alike, and travel by pickle."""
        codec = self.codec()
        again = pickle.loads(pickle.dumps(codec))
        assert codec == self.codec() == again
        assert repr(codec) == repr(self.codec()) == repr(again)
        assert hash(codec) == hash(again)
