"""Arguments that differ never share a key, and equal ones written differently do: pairs of many types."""

import array
import collections
import copy
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import logging
import operator
import pathlib
import re
import types
import uuid
import zoneinfo
from dataclasses import dataclass, field, make_dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from holdall import InvalidArgumentError, memoize


def key(value, **options):
    return memoize({}, **options)(lambda x: x).cache_key(value)


class Array(np.ndarray):
    pass


def array_with(**attributes):
    made = np.arange(3).view(Array)
    vars(made).update(attributes)
    return made


@dataclass
class Point:
    x: int
    note: str = field(default="", compare=False)


class Noted(Point):
    def __init__(self, x, more):
        super().__init__(x)
        self.more = more


@dataclass(frozen=True, slots=True)
class Slotted:
    x: int


class MoreSlots(Slotted):
    __slots__ = ("more",)

    def __init__(self, x, more):
        super().__init__(x)
        object.__setattr__(self, "more", more)


class SlottedDict(dict):
    __slots__ = ("kind",)

    def __init__(self, kind, **items):
        super().__init__(**items)
        self.kind = kind


class SlottedList(list):
    __slots__ = ("__private", "kind")

    def __init__(self, kind, private=0):
        self.kind = kind
        self.__private = private


class Number(int):
    pass


class Plain(NamedTuple):
    x: int
    y: int


class Named(Plain):
    pass


class Place(pathlib.PurePosixPath):
    pass


class Moment(dt.datetime):
    pass


class Exact(decimal.Decimal):
    pass


class Part(functools.partial):
    pass


class Counts(collections.Counter):
    pass


class Cached(Point):
    @functools.cached_property
    def double(self):
        return 2 * self.x


def with_attributes(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def enum_of(value):
    class Color(enum.Enum):
        RED = value

    return Color.RED


def function_with(text, **scope):
    exec(text, scope)
    return next(value for name, value in scope.items() if name in {"f", "C"})


def attributed(k):
    def f(x):
        return x

    f.k = k
    return f


def class_of(n):
    class Local:
        rate = n

    return Local


def method_of(n):
    class Local:
        def run(self):
            return n

    return Local


def frame(**attrs):
    made = pd.DataFrame({"a": [1, 2]})
    made.attrs.update(attrs)
    return made


class Table(pd.DataFrame):
    _metadata = ("unit",)

    @property
    def _constructor(self):
        return Table


def table(unit):
    made = Table({"a": [1]})
    made.unit = unit
    return made


DAY = dt.datetime.fromisoformat("2020-01-01")
WEEKLY = pd.DatetimeIndex(["2020-01-05"], freq="W-SUN")
RECORDS = np.dtype([("a", "i4"), ("b", "f8")])
#: Pairs of arguments that a function can tell apart, by what they are.
DIFFERENT = {
    "int": (1, 2),
    "large int": (1 << 80, 1 << 81),
    "float": (0.1, 0.2),
    "complex": (1j, 2j),
    "str": ("a", "b"),
    "text and bytes": ("a", b"a"),
    "bytes": (b"a", b"b"),
    "bytes and bytearray": (b"a", bytearray(b"a")),
    "surrogates": ("\udc80", "\udc81"),
    "None": (None, "None"),
    "Ellipsis": (..., NotImplemented),
    "list": ([1], [2]),
    "list and tuple": ([1], (1,)),
    "nested": ([[1], 2], [[1, 2]]),
    "dict": ({"a": 1}, {"a": 2}),
    "dict of ints": ({1: 2}, {2: 1}),
    "set": ({1, 2}, {1, 3}),
    "range": (range(3), range(4)),
    "slice": (slice(1), slice(1, None)),
    "memoryview": (memoryview(b"ab"), memoryview(b"ab").cast("b")),
    "array": (array.array("i", [1]), array.array("I", [1])),
    "OrderedDict": (
        collections.OrderedDict(a=1, b=2),
        collections.OrderedDict(b=2, a=1),
    ),
    "defaultdict": (collections.defaultdict(int), collections.defaultdict(list)),
    "deque": (collections.deque([1], 1), collections.deque([1], 2)),
    "Counter": (collections.Counter("ab"), {"a": 1, "b": 1}),
    "Counter with attribute": (
        with_attributes(Counts("a"), k=1),
        with_attributes(Counts("a"), k=2),
    ),
    "UserDict": (collections.UserDict(a=1), collections.UserDict(a=2)),
    "ChainMap": (collections.ChainMap({"a": 1}), collections.ChainMap({}, {"a": 1})),
    "Decimal": (decimal.Decimal("0.1"), decimal.Decimal("0.2")),
    "Decimal with attribute": (
        with_attributes(Exact("0.1"), k=1),
        with_attributes(Exact("0.1"), k=2),
    ),
    "Fraction": (fractions.Fraction(1, 3), fractions.Fraction(1, 7)),
    "datetime": (DAY, DAY.replace(fold=1)),
    "datetime with zone": (
        dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
        dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Rome")),
    ),
    "datetime with attribute": (
        with_attributes(Moment(2020, 1, 1), k=1),
        with_attributes(Moment(2020, 1, 1), k=2),
    ),
    "date and datetime": (dt.date(2020, 1, 1), DAY),
    "timedelta": (dt.timedelta(1), dt.timedelta(seconds=1)),
    "timezone": (dt.UTC, dt.timezone(dt.timedelta(0), "other")),
    "UUID": (uuid.UUID(int=1), uuid.UUID(int=2)),
    "path": (pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a")),
    "path with attribute": (
        with_attributes(Place("a"), k=1),
        with_attributes(Place("a"), k=2),
    ),
    "regular expression": (re.compile("a"), re.compile("a", re.IGNORECASE)),
    "address": (ipaddress.ip_address("::1"), ipaddress.ip_address("::2")),
    "namespace": (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
    "enum": (enum_of(1), enum_of(2)),
    "dataclass": (Point(1), Point(2)),
    "dataclass with more": (Noted(1, 2), Noted(1, 3)),
    "dataclass with more slots": (MoreSlots(1, 2), MoreSlots(1, 3)),
    "dataclasses of one name": (
        make_dataclass("P", ["a"])(1),
        make_dataclass("P", ["b"])(1),
    ),
    "dict with slots": (SlottedDict("a", x=1), SlottedDict("b", x=1)),
    "list with slots": (SlottedList("a"), SlottedList("b")),
    "list with private slots": (SlottedList("a", 1), SlottedList("a", 2)),
    "int with attribute": (with_attributes(Number(1), k=1), with_attributes(Number(1), k=2)),
    "namedtuple": (Named(1, 2), Named(2, 1)),
    "namedtuple with attribute": (
        with_attributes(Named(1, 2), k=1),
        with_attributes(Named(1, 2), k=2),
    ),
    "lambda": (lambda x: x, lambda x: x + 1),
    "lambda constants": (lambda: (1, 2), lambda: (True, 2)),
    "lambda and its globals": (
        function_with("f = lambda x: x + K", K=1),
        function_with("f = lambda x: x + K", K=2),
    ),
    "handlers": (
        function_with("def f(x):\n try: return g(x)\n except KeyError: return 1"),
        function_with("def f(x):\n try: return g(x)\n except TypeError: return 1"),
    ),
    "function": (operator.add, operator.sub),
    "functions of one name": (
        function_with("def f(x): return x"),
        function_with("def f(x): return x + 1"),
    ),
    "function and its attributes": (attributed(1), attributed(2)),
    "partial": (functools.partial(max, 1), functools.partial(max, 2)),
    "partial with attribute": (
        with_attributes(Part(max, 1), k=1),
        with_attributes(Part(max, 1), k=2),
    ),
    "what picks items": (operator.itemgetter(1), operator.itemgetter(1, 2)),
    "what picks attributes": (operator.attrgetter("a.b"), operator.attrgetter("a")),
    "what calls a method": (operator.methodcaller("f", 1), operator.methodcaller("f", k=1)),
    "bound method": (Point(1).__eq__, Point(2).__eq__),
    "built-in method": ([1].index, [2].index),
    "class": (int, bool),
    "classes of one name": (class_of(1), class_of(2)),
    "classes that enclose": (method_of(1), method_of(2)),
    "generic": (list[int], list[str]),
    "union": (int | str, int | bytes),
    "module": (operator, functools),
    "logger": (logging.getLogger("a"), logging.getLogger("b")),
    "ndarray": (np.arange(3), np.arange(4)),
    "ndarray type": (np.arange(3), np.arange(3.0)),
    "ndarray shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "ndarray with attribute": (array_with(k=1), array_with(k=2)),
    "record array": (np.zeros(1, RECORDS).view(np.recarray), np.zeros(1, RECORDS)),
    "masked array": (
        np.ma.array([1, 2], mask=[0, 1]),
        np.ma.array([1, 2], mask=[1, 0]),
    ),
    "masked array's filling": (
        np.ma.array([1, 2], mask=[0, 1], fill_value=5),
        np.ma.array([1, 2], mask=[0, 1], fill_value=6),
    ),
    "hard mask": (np.ma.array([1], mask=[1]), np.ma.array([1], mask=[1], hard_mask=True)),
    "records": (np.zeros(1, RECORDS), np.zeros(1, RECORDS.descr[::-1])),
    "object array": (np.array([1, "a"], object), np.array([1, "b"], object)),
    "dtype": (np.dtype("i4"), np.dtype("u4")),
    "dtype metadata": (
        np.dtype("i4", metadata={"unit": "m"}),
        np.dtype("i4", metadata={"unit": "s"}),
    ),
    "array of dtype with metadata": (
        np.zeros(1, np.dtype("i4", metadata={"unit": "m"})),
        np.zeros(1, np.dtype("i4", metadata={"unit": "s"})),
    ),
    "metadata of a field": (
        np.dtype([("a", np.dtype("i4", metadata={"unit": "m"}))]),
        np.dtype([("a", np.dtype("i4", metadata={"unit": "s"}))]),
    ),
    "dtype of arrays": (np.dtype(("i4", (2,))), np.dtype(("f4", (2,)))),
    "aligned dtype": (np.dtype("i1,i4", align=True), np.dtype("i1,i4")),
    "datetime64": (np.datetime64("2020", "D"), np.datetime64("2020", "s")),
    "string dtype": (np.dtypes.StringDType(), np.dtypes.StringDType(na_object=None)),
    "numpy scalar": (np.float32(0.1), np.float64(0.1)),
    "DataFrame": (frame(), pd.DataFrame({"a": [1, 3]})),
    "DataFrame attrs": (frame(unit="m"), frame(unit="s")),
    "DataFrame flags": (
        frame(),
        frame().set_flags(allows_duplicate_labels=False),
    ),
    "DataFrame metadata": (table("m"), table("s")),
    "DataFrame attribute": (with_attributes(frame(), k=1), with_attributes(frame(), k=2)),
    "Series": (pd.Series([1], name="a"), pd.Series([1], name="b")),
    "Series attrs": (
        with_attributes(pd.Series([1]), attrs={"a": 1}),
        with_attributes(pd.Series([1]), attrs={"a": 2}),
    ),
    "Series strings": (
        pd.Series(["a"], dtype=pd.StringDtype("python")),
        pd.Series(["a"], dtype=object),
    ),
    "Index": (pd.Index([1], name="a"), pd.Index([1], name="b")),
    "Index attribute": (with_attributes(pd.Index([1]), k=1), with_attributes(pd.Index([1]), k=2)),
    "Index freq": (WEEKLY, pd.DatetimeIndex(WEEKLY.to_numpy())),
    "index of a frame": (
        pd.DataFrame({"a": [1]}, WEEKLY),
        pd.DataFrame({"a": [1]}, pd.DatetimeIndex(WEEKLY.to_numpy())),
    ),
    "period": (pd.PeriodIndex(["2020-01"], freq="M"), pd.PeriodIndex(["2020-01"], freq="D")),
    "Categorical": (pd.Categorical(["a"], ["a"]), pd.Categorical(["a"], ["a", "b"])),
    "sparse": (
        pd.arrays.SparseArray([0, 1], fill_value=0),
        pd.arrays.SparseArray([0, 1], fill_value=1),
    ),
    "interval": (
        pd.IntervalIndex.from_breaks([0, 1]),
        pd.IntervalIndex.from_breaks([0, 1], closed="left"),
    ),
    "Timestamp": (pd.Timestamp("2020"), pd.Timestamp("2020", tz="UTC")),
}
#: Pairs of equal arguments that are written differently.
EQUAL = {
    "numbers": (1, 1.0),
    "number and bool": (1, True),
    "number and Fraction": (0.5, fractions.Fraction(1, 2)),
    "dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "mapping": ({"a": 1}, types.MappingProxyType({"a": 1})),
    "set": ({1, 2, 3}, frozenset([3, 2, 1])),
    "range": (range(0, 5, 2), range(0, 6, 2)),
    "dataclass": (Point(1, "a"), Point(1, "b")),
    "path": (pathlib.Path("a/b"), pathlib.PurePosixPath("a//b")),
    "list with slots": (SlottedList("a", 1), SlottedList("a", 1)),
    "cached property": (Cached(1), with_attributes(Cached(1), double=2)),
    "lambda": (function_with("f = lambda x: x + K", K=1), function_with("f = lambda x: x + K", K=1, L=2)),
    "array": (np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T.copy("F")),
    "slice of an array": (np.arange(10)[::2], np.arange(0, 10, 2)),
    "masked array": (
        np.ma.array([1, 5], mask=[0, 1]),
        np.ma.array([1, 7], mask=[0, 1], fill_value=999999),
    ),
    "array with attribute": (array_with(k=1), array_with(k=1)),
    "frame": (frame(unit="m"), frame(unit="m").copy()),
    "index": (WEEKLY, pd.DatetimeIndex(["2020-01-05"], freq="W")),
    "enum": (enum_of(1), enum_of(1)),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_arguments_that_differ_share_no_key(what):
    one, two = DIFFERENT[what]
    for options in ({}, {"typed": True}):
        assert key(one, **options) != key(two, **options)
        assert key([one], **options) != key([two], **options)
        assert key(one, **options) == key(one, **options)


@pytest.mark.parametrize("what", EQUAL)
def test_equal_arguments_share_a_key(what):
    one, two = EQUAL[what]
    assert key(one) == key(two)


def test_no_two_of_all_arguments_share_a_key():
    known = {}
    for what, pair in DIFFERENT.items():
        for value in pair:
            other, whose = known.setdefault(key(value, typed=True), (value, what))
            same = type(other).__qualname__ == type(value).__qualname__ and repr(other) == repr(value)
            assert same, f"{what} has the key of {whose}"


def test_a_copy_has_the_key_of_the_original():
    for what, pair in DIFFERENT.items():
        for value in pair:
            try:
                copied = copy.deepcopy(value)
            except TypeError:
                continue
            lost = [a for a in ("k", "more") if getattr(copied, a, None) != getattr(value, a, None)]
            if not lost and type(value).__name__ not in {"method", "method-wrapper", "memoryview"}:
                assert key(copied) == key(value), what


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (array_with(k=Opaque()), "k"),
        (Noted(1, Opaque()), "more"),
        (with_attributes(Named(1, 2), k=Opaque()), "k"),
        (SlottedDict(Opaque()), "kind"),
        (frame(unit=Opaque()), "Opaque"),
        (attributed(Opaque()), "k"),
        (function_with("f = lambda x: x + K", K=Opaque()), "K"),
        (functools.partial(max, Opaque()), "Opaque"),
        (np.dtype("i4", metadata={"unit": Opaque()}), "Opaque"),
        (enum_of(Opaque()), "RED"),
    ],
    ids=range(10),
)
def test_what_is_not_understood_is_refused_by_name(value, named):
    with pytest.raises(InvalidArgumentError, match=rf"argument 'x'.*\b{named}\b"):
        key(value)
