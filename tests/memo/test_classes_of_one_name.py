"""Classes that their name does not lead to: values of two that are made differently share no key."""

import abc
import collections
import dataclasses
import enum
import functools
import json
import operator
import os
import subprocess
import sys
import types
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, Optional, TypeVar

import numpy as np
import pytest

from holdall import InvalidArgumentError, memoize

T = TypeVar("T")


def key(value, **options):
    return memoize({}, **options)(lambda x: x).cache_key(value)


def method_of_a_dataclass(v):
    @dataclasses.dataclass
    class D:
        x: Optional[int] = 1  # noqa: UP045  (a type of typing)
        names: list[str] = dataclasses.field(default_factory=list)
        other: "D | None" = None
        kind: ClassVar[int] = 3

        def area(self):
            return self.x * v

    return D()


def slots(v):
    @dataclasses.dataclass(frozen=True, slots=True, order=True, kw_only=True)
    class D:
        x: Annotated[int, v] = 1
        y: Literal["a", 1] = 1
        z: dataclasses.InitVar[int] = 2

    return D()


def frozen(v):
    @dataclasses.dataclass(frozen=v == 1)
    class D:
        x: int = 1

    return D()


def type_of_a_field(v):
    return dataclasses.make_dataclass("D", [("x", (int, str)[v - 1])])(1)


def default_of_a_field(v):
    return dataclasses.make_dataclass("D", [("x", int, v)])(1)


def metadata_of_a_field(v):
    return dataclasses.make_dataclass("D", [("x", int, dataclasses.field(metadata={"unit": v}))])(1)


def fields_of_a_namedtuple(v):
    return collections.namedtuple("N", ("a b", "b a")[v - 1])(1, 2)  # noqa: PYI024  (without types)


def default_of_a_namedtuple(v):
    class N(NamedTuple):
        x: int
        y: int = v

    return N(1, 2)


def method_of_a_namedtuple(v):
    class N(collections.namedtuple("N", "a b")):  # noqa: PYI024  (of one name with its base)
        __slots__ = ()

        def sum(self):
            return self.a + v

    return N(1, 2)


def members(v):
    class E(enum.Enum):
        A = 1
        if v == 2:
            B = 2

    return E.A


def members_by_a_call(v):
    return enum.Enum("E", ["A", "B"][:v])["A"]


def combined_flags(v):
    class F(enum.Flag):
        A = 1
        B = 2
        if v == 2:
            C = 4

    return F.A | F.B


def method_of_an_enum(v):
    class E(enum.IntEnum):
        A = 1

        def __str__(self):
            return super().__str__() + "x" * v

    return E.A


def property_of_an_enum(v):
    class E(enum.StrEnum):
        A = enum.auto()

        @property
        def label(self):
            return v

    return E.A


def attribute_of_a_member(v):
    class E(enum.Enum):
        A = 1

        def __init__(self, value):
            self.twice = value * len("ab" * number)

    return E.A


number = 1


def generic(v):
    @dataclasses.dataclass
    class G(Generic[T]):
        x: T

        def m(self):
            return v

    return G(1)


def method_of_a_base(v):
    class B(abc.ABC):
        @abc.abstractmethod
        def m(self):
            return v

    @dataclasses.dataclass
    class D(B):
        x: int = 1

        def m(self):
            return super().m()

    return D()


def one_name_of_class_and_base(v):
    def made(rate, base):
        class E(base):
            pass

        E.rate = rate
        return E

    return made(v, made(5, int))(1)


def itself(v):
    @dataclasses.dataclass
    class D:
        x: int = 1

        def m(self):
            return D(v)

    D.default = D(3)
    return D()


def attrs_class(v):
    attrs = pytest.importorskip("attrs")

    @attrs.define
    class D:
        x: int = 1
        y: list[int] = attrs.field(factory=list)
        z: int = attrs.field(default=2, validator=attrs.validators.instance_of(int))

        def m(self):
            return v

    return D()


def wrapped_methods(v):
    @dataclasses.dataclass
    class D:
        x: int = 1

        @functools.cached_property
        def a(self):
            return 1

        @functools.lru_cache  # noqa: B019  (only looked at)
        def b(self):
            return v

        c = functools.partialmethod(b, 1)

    return D()


def kind_of_method(v):
    class L(int):
        run = (staticmethod, classmethod)[v - 1](lambda *args: args)

    return L(1)


def metaclass(v):
    class M(type):
        def __call__(cls, x):
            return super().__call__(x * v)

    class L(int, metaclass=M):
        pass

    return L(0)


def subclass_of_an_array(v):
    class Array(np.ndarray):
        def m(self):
            return np.mean(v)

    return np.arange(3).view(Array)


def function_elsewhere(v):
    class L(list):
        run = (json.dumps, json.loads)[v - 1]

    return L()


def class_attribute(v):
    class L(list):
        kind = (int, str)[v - 1]

    return L()


def class_itself(v):
    return type(members(v))


def bound_method(v):
    return method_of_a_dataclass(v).area


def inherited_class_method(v):
    return type(function_elsewhere(v)).__class_getitem__


def alias(v):
    return list[type(members(v))]


def union(v):
    return type(members(v)) | None


def in_a_dict(v):
    return collections.defaultdict(type(function_elsewhere(v)))


def closing_over_a_class(v):
    t = (int, str)[v - 1]
    return lambda x: [t(x)]


def closing_over_a_local_class(v):
    t = type(members(v))
    return lambda x: [t(x)]


def closing_over_a_builtin(v):
    f = (operator.add, operator.sub)[v - 1]
    return lambda x: f(x, 1)


def closing_over_a_function_elsewhere(v):
    f = (json.dumps, json.loads)[v - 1]
    return lambda x: [f(x)]


def closing_over_a_module(v):
    m = (json, operator)[v - 1]
    return lambda x: [m.f(x)]


def closing_over_a_class_method(v):
    f = (dict.fromkeys, collections.OrderedDict.fromkeys)[v - 1]
    return lambda x: [f(x)]


def naming_a_global(v):
    scope = {"T": (int, str)[v - 1]}
    exec("f = lambda x: T(x)", scope)
    return scope["f"]


MAKERS = [
    made
    for name, made in list(globals().items())
    if isinstance(made, types.FunctionType) and made.__module__ == __name__ and name != "key"
]
MAKERS.remove(attribute_of_a_member)


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("made", MAKERS)
def test_values_of_classes_made_differently_share_no_key(made, typed):
    one, again, other = made(1), made(1), made(2)
    assert key(one, typed=typed) != key(other, typed=typed)
    assert key([one], typed=typed) != key([other], typed=typed)
    assert key(one, typed=typed) == key(again, typed=typed), "the same code made both"


def test_attributes_of_members_count(monkeypatch):
    one = attribute_of_a_member(0)
    monkeypatch.setattr(sys.modules[__name__], "number", 2)
    other = attribute_of_a_member(0)
    assert (one.value, one.twice, other.twice) == (1, 2, 4)
    assert key(one) != key(other)


PRINT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_classes_of_one_name as tests
print(json.dumps({made.__name__: tests.key(made(1)) for made in tests.MAKERS}))
"""


def test_keys_are_the_same_in_every_process():
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", PRINT, os.path.dirname(__file__)],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0].values())) == len(MAKERS)


CELL = """
import dataclasses, enum
class Color(enum.Enum):
    RED = 1
    def label(self):
        return super().__str__()
@dataclasses.dataclass
class Point:
    x: int = 1
    def far(self):
        return Point(2)
"""


@pytest.fixture
def notebook(monkeypatch):
    module = types.ModuleType("notebook_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def run(code, module):
    exec(code, vars(module))
    return [module.Color.RED, module.Point(), module.Color, module.Point]


def test_a_cell_that_runs_again_changes_no_key(notebook):
    old = run(CELL, notebook)
    keys = [key(value) for value in old]
    new = run(CELL, notebook)
    assert [key(value) for value in old] == keys == [key(value) for value in new]


def test_a_cell_that_was_edited_leaves_two_classes(notebook, monkeypatch):
    old = run(CELL, notebook)
    run(CELL, notebook)  # not the last: neither is found
    older = run(CELL, notebook)
    new = run(CELL.replace("RED = 1", "RED = 1; BLUE = 2").replace("Point(2)", "Point(3)"), notebook)
    for one, same, other in zip(old, older, new, strict=True):
        assert key(one) == key(same) != key(other)
    monkeypatch.delitem(sys.modules, notebook.__name__)
    for one, same, other in zip(old, older, new, strict=True):
        assert key(one) == key(same) != key(other)


def test_a_class_that_is_found_is_known_by_its_name(notebook):
    """Its code may change: what was stored with it is found."""
    keys = [key(value) for value in run(CELL, notebook)[:2]]
    assert keys == [key(value) for value in run(CELL.replace("Point(2)", "Point(3)"), notebook)[:2]]


def test_two_modules_of_one_name_are_refused():
    assert key(json) == key(json)
    with pytest.raises(InvalidArgumentError, match=r"the module json is not"):
        key(types.ModuleType("json"))


def local(attribute: Any):
    @dataclasses.dataclass
    class Local:
        x: int = 1
        thing: ClassVar[Any] = attribute

    return Local()


def test_a_class_that_cannot_be_told_is_refused_by_its_name_with_advice():
    with pytest.raises(
        InvalidArgumentError,
        match=r"local\.<locals>\.Local is not .*builtins.object.*; define it at the top .*identity=",
    ):
        key(local(object()))
    named = memoize({}, identity="x")(lambda x: x)
    value = local(object())
    assert named.cache_key(value) == named.cache_key(value) != named.cache_key(local(object()))


def test_without_a_store_such_a_class_is_known_by_itself():
    one, other = local(object()), local(object())
    same = type(one)()
    f = memoize()(lambda x: x.thing)
    assert f(one) is f(same) is one.thing
    assert f(other) is other.thing
    assert f.cache_info().misses == 2


def test_what_a_class_says_itself_is_its_key():
    def made(v):
        class Local:
            thing = object()

            def __memo_key__(self):
                return v

        return Local()

    assert key(made(1)) == key(made(1)) != key(made(2))


def test_entries_show_the_arguments_of_such_classes():
    f = memoize({}, readable=True)(lambda x: x)
    assert f.cache_key(local(1)).startswith("x=Local(x=1) #")
    assert f.cache_key(members(1)).startswith("x=E('A', 1) #")
