"""Each planted bug of a serializer or key codec must fail the law that is there for it."""

import ast
import pickle

import pytest
from hypothesis import strategies as st

from holdall import InvalidKeyError, KeyCodec, SerializationError, Serializer
from holdall.keys import AnyKeys, PathKeys
from holdall.testing import KeyCodecContract, SerializerContract


class Literals(Serializer):
    """Sound: values as Python writes them."""

    name, suffix, executes_code = "literals", ".txt", False

    def dumps(self, value):
        if value is print:
            raise SerializationError("no literal")
        return repr(value).encode()

    def loads(self, data):
        return ast.literal_eval(data.decode())


class Quoted(KeyCodec):
    """Sound: text in quotation marks."""

    def encode(self, key):
        if type(key) is not str:
            raise InvalidKeyError("keys are text")
        return f'"{key}"'

    def decode(self, id):
        from holdall.abc import NOT_MINE

        return id[1:-1] if len(id) > 1 and id[0] == id[-1] == '"' else NOT_MINE

    def __repr__(self):
        return f"{type(self).__name__}()"

    def __eq__(self, other):
        return type(other) is type(self)

    def __hash__(self):
        return hash(type(self))


MUTANTS = []


def mutant(caught_by):
    def mark(cls):
        cls.caught_by = caught_by
        MUTANTS.append(cls)
        return cls

    return mark


@mutant("test_values_come_back")
class ForgetsTuples(Literals):
    def loads(self, data):
        value = super().loads(data)
        return list(value) if type(value) is tuple else value


@mutant("test_pieces_are_the_data")
class PiecesLackTheLast(Literals):
    def parts(self, value):
        data = self.dumps(value)
        return [data[:1], data[1:-1]]


@mutant("test_files_hold_the_same_as_bytes")
class ReadsTheFirstBytesOnly(Literals):
    def load(self, file):
        return self.loads(file.read(3))


@mutant("test_dumping_leaves_the_value_alone")
class EmptiesLists(Literals):
    def dumps(self, value):
        data = super().dumps(value)
        if type(value) is list:
            value.clear()
        return data


@mutant("test_garbage_is_an_error_or_a_value")
class EndsTheProcess(Literals):
    def loads(self, data):
        try:
            return super().loads(data)
        except Exception:
            raise SystemExit from None


@mutant("test_what_is_refused_says_so")
class TakesEverything(Literals):
    def dumps(self, value):
        return repr(value).encode()


@mutant("test_it_has_a_name_and_travels")
class CannotTravel(Literals):
    def __reduce__(self):
        raise pickle.PicklingError


@mutant("test_keys_come_back")
class CutsTheKey(Quoted):
    def decode(self, id):
        return id[1:4]


@mutant("test_different_keys_have_different_ids")
class IgnoresCase(Quoted):
    reversible = False

    def encode(self, key):
        return super().encode(key).lower()


@mutant("test_foreign_ids_are_not_mangled")
class MineIsEverything(Quoted):
    def decode(self, id):
        return id.strip('"')


@mutant("test_keys_below_a_prefix_have_ids_below_it")
class ForgetsTheQuotationMark(Quoted):
    def id_prefix(self, prefix):
        return f"{prefix}/"


@mutant("test_keys_come_back_through_a_chain")
class ChainsTheWrongWay(Quoted):
    def __or__(self, other):
        return KeyCodec.__or__(other, self)


@mutant("test_what_is_refused_says_so")
class NamesNumbersToo(Quoted):
    def encode(self, key):
        return f'"{key}"'


@mutant("test_it_is_a_value")
class TellsItsAddress(Quoted):
    __repr__ = object.__repr__


def contract(cls):
    if issubclass(cls, Serializer):
        values = st.lists(st.integers()) | st.tuples(st.integers())
        members = {"values": values, "refused": (print,), "serializer": lambda self: cls()}
        return type("Contract", (SerializerContract,), members)()
    keys = st.text("abAB", max_size=3)
    members = {"keys": keys, "refused": (1, None), "codec": lambda self: cls()}
    return type("Contract", (KeyCodecContract,), members)()


def run_law(cls, law, place):
    method = getattr(contract(cls), law)
    if law == "test_files_hold_the_same_as_bytes":
        method(tmp_path=place)
    else:
        method()


@pytest.mark.parametrize("cls", MUTANTS, ids=lambda cls: cls.__name__)
def test_the_law_catches_its_mutant(cls, tmp_path):
    run_law(Literals if issubclass(cls, Serializer) else Quoted, cls.caught_by, tmp_path)
    with pytest.raises((Exception, BaseExceptionGroup, pytest.fail.Exception, SystemExit)):
        run_law(cls, cls.caught_by, tmp_path)


class TestLiterals(SerializerContract):
    values = st.lists(st.integers()) | st.text()
    refused = (print,)

    def serializer(self):
        return Literals()


class TestQuoted(KeyCodecContract):
    keys = st.text()
    refused = (1, None)

    def codec(self):
        return Quoted()


class TestThreeInAChain(KeyCodecContract):
    keys = st.integers() | st.text()
    refused = ([],)

    def codec(self):
        return AnyKeys() | PathKeys() | Quoted()
