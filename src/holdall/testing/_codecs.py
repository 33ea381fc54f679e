"""The laws of serializers and key codecs."""

import copy
import pickle
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdall.abc import NOT_MINE, KeyCodec, Serializer, join_parts
from holdall.errors import InvalidKeyError, SerializationError, UnsupportedError
from holdall.keys import PathKeys

# Half of the profile's number, so that a profile with more examples explores these laws, too.
_relaxed = settings(
    deadline=None,
    max_examples=max(1, settings().max_examples // 2),
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
)


class SerializerContract:
    """The laws of serializers; subclass it and define `serializer` and `values`.

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
        """Return the serializer."""
        raise UnsupportedError("a contract needs serializer(): define how to make it")

    def equal(self, one: Any, other: Any) -> bool:
        """Return whether a value came back."""
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

    @_relaxed
    @given(data=st.data(), nonces=st.lists(st.binary(min_size=8, max_size=8), min_size=2, unique=True))
    def test_filler_is_passed_over(self, data: st.DataObject, nonces: list[bytes], tmp_path: Path) -> None:
        """What filler() puts behind the data changes them, not the value; each nonce gives another."""
        serializer = self.serializer()
        fillers = [filler for nonce in nonces if (filler := serializer.filler(nonce)) is not None]
        if not fillers:
            return
        assert len(set(fillers)) == len(nonces)
        value = data.draw(self.values)
        path = tmp_path / "value"
        path.write_bytes(serializer.dumps(value) + fillers[0])
        assert self.equal(value, serializer.loads(path.read_bytes()))
        with path.open("rb", buffering=0) as raw:
            assert self.equal(value, serializer.load(raw))

    @_relaxed
    @given(data=st.data())
    def test_dumping_leaves_the_value_alone(self, data: st.DataObject) -> None:
        """A dumped value does not change, and can be dumped again."""
        serializer, value = self.serializer(), data.draw(self.values)
        before = copy.deepcopy(value)
        for _ in range(2):
            serializer.dumps(value)
            join_parts(serializer.parts(value))
        assert self.equal(before, value)

    @_relaxed
    @given(data=st.data(), garbage=st.binary(max_size=60))
    def test_garbage_is_an_error_or_a_value(self, data: st.DataObject, garbage: bytes) -> None:
        """Truncated or foreign data neither hang nor crash; what loads can be examined."""
        serializer = self.serializer()
        dumped = serializer.dumps(data.draw(self.values))
        wrong = [dumped[: data.draw(st.integers(0, len(dumped)))]]
        if not serializer.executes_code:
            wrong += [garbage, dumped + garbage, garbage + dumped]
        for text in wrong:
            try:
                repr(serializer.loads(text))
            except Exception:  # any error: the store turns it into CorruptValueError
                continue

    def test_what_is_refused_says_so(self) -> None:
        """A value that cannot be written raises SerializationError."""
        for value in self.refused:
            with pytest.raises(SerializationError):
                self.serializer().dumps(value)
            with pytest.raises(SerializationError):
                self.serializer().parts(value)

    def test_it_has_a_name_and_travels(self) -> None:
        """Name and suffix are text, and a pickled serializer is equal to the original."""
        serializer = self.serializer()
        assert serializer.name
        assert isinstance(serializer.name, str)
        assert isinstance(serializer.suffix, str)
        assert pickle.loads(pickle.dumps(serializer)).name == serializer.name


class KeyCodecContract:
    """The laws of key codecs; subclass it and define `codec` and `keys`.

    Examples
    --------
    >>> from holdall.keys import Prefix
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
        """Return the codec."""
        raise UnsupportedError("a contract needs codec(): define how to make it")

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
        """No two keys share an id, least of all two that look alike."""
        codec, one, other = self.codec(), data.draw(self.keys), data.draw(self.keys)
        id = codec.encode(one)
        if (type(one), one) != (type(other), other):
            assert id != codec.encode(other) or repr(one) == repr(other)
        if type(one) is not str:
            return
        for near in (
            *(one.swapcase(), one.casefold(), one.strip(), one.strip("/."), f"{one}/", f"{one}.", f" {one}"),
            *(normalize(form, one) for form in ("NFC", "NFD", "NFKC")),
        ):
            try:
                assert near == one or codec.encode(near) != id
            except InvalidKeyError:
                continue

    @_relaxed
    @given(data=st.data(), text=st.text(max_size=30))
    def test_foreign_ids_are_not_mangled(self, data: st.DataObject, text: str) -> None:
        """Any id is either one that encoding returns, or not ours."""
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

    @_relaxed
    @given(data=st.data())
    def test_keys_below_a_prefix_have_ids_below_it(self, data: st.DataObject) -> None:
        """The ids of all keys below a prefix start with what id_prefix() gives for it."""
        codec, prefix, rest = self.codec(), data.draw(self.keys), data.draw(self.keys)
        if isinstance(prefix, str) and isinstance(rest, str):
            key: Any = f"{prefix}/{rest}"
        elif isinstance(prefix, tuple):
            key = prefix + (rest if isinstance(rest, tuple) else (rest,))
        else:
            return
        try:
            id, start = codec.encode(key), codec.id_prefix(prefix)
        except InvalidKeyError:
            return
        assert id.startswith(start)

    @_relaxed
    @given(data=st.data())
    def test_keys_come_back_through_a_chain(self, data: st.DataObject) -> None:
        """With another codec behind it, ids are text and keys come back as they do without."""
        codec, key = self.codec(), data.draw(self.keys)
        paths = PathKeys(suffix=".x")
        chain = codec | paths
        id = chain.encode(key)
        assert id == paths.encode(codec.encode(key))
        assert chain.owns(id)
        assert chain.reversible == codec.reversible
        if codec.reversible:
            assert repr(chain.decode(id)) == repr(codec.decode(codec.encode(key)))
            assert chain.decode(id + "y") is NOT_MINE

    def test_what_is_refused_says_so(self) -> None:
        """A key that has no name raises InvalidKeyError, a KeyError and a TypeError."""
        for key in self.refused:
            with pytest.raises(InvalidKeyError):
                self.codec().encode(key)

    def test_it_is_a_value(self) -> None:
        """Codecs with the same arguments are equal, have the same repr, and can be pickled."""
        codec = self.codec()
        again = pickle.loads(pickle.dumps(codec))
        assert codec == self.codec() == again
        assert repr(codec) == repr(self.codec()) == repr(again)
        assert hash(codec) == hash(again)
