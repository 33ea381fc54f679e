"""Keys of memoized calls: signatures, options, and the types of other packages."""

import dataclasses
import enum
import functools
import math
import operator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import holdall
from holdall import memoize
from holdall.memo import register
from holdall.memo._arguments import Arguments


def key(value, *, typed=False):
    return Arguments(lambda x: x, typed=typed).key((value,))[0]


def distinct(*values, typed=False):
    keys = [key(value, typed=typed) for value in values]
    assert len(set(keys)) == len(keys)


# ---------------------------------------------------------------------- signatures


def test_all_ways_to_give_the_same_arguments_have_one_key():
    @memoize({})
    def f(a, /, b, c=3, *, d=4):
        return 0

    keys = {
        f.cache_key(1, 2),
        f.cache_key(1, b=2),
        f.cache_key(1, 2, 3),
        f.cache_key(1, c=3, b=2),
        f.cache_key(1, 2, d=4),
    }
    assert len(keys) == 1
    assert f.cache_key(1, 2, d=5) not in keys


def test_variable_arguments_stay_apart_from_named_ones():
    @memoize({})
    def f(a, *rest, b=0, **more):
        return 0

    calls = [f.cache_key(*args, **kwargs) for args, kwargs in [
        ((1,), {}), ((1, 2), {}), ((1, 2, 3), {}), ((1, (2, 3)), {}), ((1,), {"b": 2}), ((1,), {"c": 2}),
        ((1,), {"c": 2, "d": 3}), ((1, 2), {"c": 2}),
    ]]  # fmt: skip
    assert len(set(calls)) == len(calls)
    assert f.cache_key(1, c=2, d=3) == f.cache_key(1, d=3, c=2)
    assert f.cache_key(1, b=0) == f.cache_key(1)


def test_a_positional_only_name_may_be_a_keyword_too():
    @memoize({})
    def f(a, /, **more):
        return a, more

    assert f(1, a=2) == (1, {"a": 2})
    assert f(1, a=2) == (1, {"a": 2})
    assert f.cache_info().hits == 1


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing"),
        ((1, 2), {}, "positional"),
        ((1,), {"a": 2}, "multiple values"),
        ((1,), {"z": 2}, "unexpected keyword"),
    ],
)
def test_a_wrong_call_gets_the_error_of_the_function(args, kwargs, message):
    @memoize({})
    def f(a, *, b=1):
        return 0

    with pytest.raises(TypeError, match=message):
        f(*args, **kwargs)
    with pytest.raises(TypeError):
        f.cache_key(*args, **kwargs)
    assert f.cache_info().misses == 0


def test_a_function_that_tells_no_signature_works():
    maximum = memoize({}, name="max")(max)
    assert maximum(1, 5, 3) == 5 == maximum(1, 5, 3)
    assert maximum.cache_info()[:2] == (1, 1)


def test_what_is_ignored_is_no_part_of_the_key():
    calls = []

    @memoize({}, ignore=["log", 0])
    def f(connection, x, log=None, **more):
        calls.append(x)
        return x

    assert f(object(), 1, log=print) == f(object(), 1) == 1
    assert f(object(), 1, extra=2) == 1
    assert calls == [1, 1]

    @memoize({}, ignore="verbose")
    def g(x, **more):
        calls.append(x)
        return x

    assert g(5, verbose=object()) == g(5, verbose=2) == g(5) == 5
    assert calls == [1, 1, 5]


def test_a_name_that_is_no_parameter_is_refused():
    for option in ("ignore", "identity"):
        with pytest.raises(holdall.InvalidArgumentError, match="no such parameter"):
            memoize({}, **{option: ["y"]})(lambda x: x)
    with pytest.raises(holdall.InvalidArgumentError, match="no such parameter"):
        memoize({}, ignore=3)(lambda x: x)


def test_a_key_function_gives_what_the_result_depends_on():
    calls = []

    @memoize({}, key=lambda user, **_: user["id"])
    def f(user, verbose=False):
        calls.append(user)
        return user["id"]

    assert f({"id": 1, "name": "a"}) == f({"id": 1, "name": object()}, verbose=True) == 1
    assert len(calls) == 1
    with pytest.raises(TypeError, match=r"what key= gave .* cannot be keyed"):
        f({"id": object()})


def test_a_default_that_nothing_is_known_of_is_known_by_its_place():
    nothing = object()

    @memoize({})
    def f(x, default=nothing):
        return x

    assert f(1) == f(1, nothing) == f(1, default=nothing) == 1
    assert f.cache_info().misses == 1
    with pytest.raises(TypeError, match="argument 'default' of"):
        f(1, object())


def test_typed_tells_equal_arguments_apart():
    for typed, computed in ((False, 2), (True, 4)):
        function = memoize({}, typed=typed, name="f")(lambda x: (x, type(x)))
        for value in (1, 1.0, True, "1"):
            function(value)
        assert function.cache_info().misses == computed


def test_minus_one_and_minus_two_are_two_arguments():
    function = memoize(lambda x: x)
    assert hash(-1) == hash(-2)
    assert [function(x) for x in (-1, -2, -1.0, (-1,), (-2,), [-1], [-2])] == [
        -1,
        -2,
        -1,
        (-1,),
        (-2,),
        [-1],
        [-2],
    ]


# ---------------------------------------------------------------------- refusals


class Opaque:
    pass


@pytest.mark.parametrize(
    "value",
    [Opaque(), [1, {"a": Opaque()}], (i for i in ()), open, iter([]), {1: {2: object()}}],
    ids=["object", "nested", "generator", "builtin is fine", "iterator", "deep"],
)
def test_what_cannot_be_keyed_is_a_type_error_that_names_the_argument(value):
    @memoize({})
    def f(first, second):
        return 0

    if value is open:
        assert f(1, value) == 0
        return
    with pytest.raises(TypeError, match=r"argument 'second' of .*f cannot be keyed"):
        f(1, value)
    with pytest.raises(holdall.InvalidArgumentError, match=r"__memo_key__|cannot be hashed"):
        f(second=value, first=1)


def test_what_contains_itself_is_refused():
    loop = []
    loop.append(loop)
    function = memoize({}, name="f")(lambda x: 1)
    with pytest.raises(TypeError, match="contains itself"):
        function(loop)

    @memoize
    def endless(n):
        return endless(n + 1)

    with pytest.raises(RecursionError):
        endless(0)


def test_a_class_can_tell_its_key():
    class User:
        def __init__(self, number):
            self.number = number
            self.connection = object()

        def __memo_key__(self):
            return self.number

    distinct(User(1), User(2), 1)
    assert key(User(1)) == key(User(1))


def test_a_key_can_be_registered_for_a_class_and_its_subclasses():
    class Foreign:
        def __init__(self, x):
            self.x = x

    class More(Foreign):
        pass

    with pytest.raises(TypeError):
        key(Foreign(1))
    register(Foreign, lambda foreign: foreign.x)
    distinct(Foreign(1), Foreign(2), More(1))
    assert key(More(1)) == key(More(1))
    with pytest.raises(holdall.InvalidArgumentError):
        register("Foreign", str)


# ---------------------------------------------------------------------- objects


def test_dataclasses_are_known_by_what_is_compared():
    @dataclasses.dataclass
    class Point:
        x: int
        y: object = dataclasses.field(default=None, compare=False)

    @dataclasses.dataclass
    class Other:
        x: int

    assert key(Point(1, object())) == key(Point(1))
    distinct(Point(1), Point(2), Other(1), (1,))


def test_enums_are_known_by_name():
    class Color(enum.IntEnum):
        RED = 1
        BLUE = 2
        ALSO_RED = 1

    class Other(enum.IntEnum):
        RED = 1

    class Flags(enum.Flag):
        A = 1
        B = 2

    distinct(Color.RED, Color.BLUE, Other.RED, 1, Flags.A, Flags.B, Flags.A | Flags.B, Flags(0))
    assert key(Color.RED) == key(Color.ALSO_RED)


def test_subclasses_of_built_in_types_are_not_their_bases():
    class Text(str):
        __slots__ = ()

    class Numbers(list):
        def __init__(self, items, unit):
            super().__init__(items)
            self.unit = unit

    class Named(NamedTuple):
        a: int
        b: int

    distinct(
        "a", Text("a"), [1], Numbers([1], "m"), Numbers([1], "s"), Numbers([2], "m"), (1, 2), Named(1, 2)
    )


def test_functions_are_known_by_qualified_name_and_nameless_ones_by_code():
    def make(n):
        return lambda x: x + n

    distinct(key, distinct, len, str.upper, "a".join, "b".join, operator.add, Opaque, make(1), make(2))
    assert key(make(1)) == key(make(1))
    assert key(functools.partial(key, 1)) != key(functools.partial(key, 2))
    assert key(memoize(key)) == key(key)
    with pytest.raises(TypeError):
        key(make(Opaque()))


# ---------------------------------------------------------------------- numpy


def test_arrays_are_known_by_type_shape_order_and_bytes():
    a = np.arange(6.0)
    distinct(
        a,
        a.astype("f4"),
        a.astype(">f8"),
        a.reshape(2, 3),
        a.reshape(3, 2),
        np.asfortranarray(a.reshape(2, 3)),
        a[::-1],
        a + 1,
        a.tolist(),
        a.astype(object),
        a.astype("M8[s]"),
        a.astype("m8[s]"),
        a.astype("U3"),
        a.astype(bool),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.float64(7),
        np.array(7.0),
        np.ma.masked_array(a, mask=[1, 0, 0, 0, 0, 0]),
        a.view(type("Own", (np.ndarray,), {})),
    )


@pytest.mark.parametrize("size", [10, 5000, 400_000])
@pytest.mark.parametrize("dtype", ["f8", "i2", "M8[ns]", "U2", "c16", "?"])
def test_an_array_has_the_key_of_its_copy_however_it_lies_in_memory(size, dtype):
    array = (np.arange(size) % 100).astype(dtype)
    assert key(array) == key(array.copy())
    spread = np.empty(2 * size, dtype)[::2]
    spread[:] = array
    assert key(spread) == key(array)
    table = array.reshape(2, -1)
    assert key(np.asfortranarray(table)) == key(np.asfortranarray(table.copy()))
    changed = array.copy()
    changed[size // 2] = changed[0]
    assert (key(changed) == key(array)) == (array[0] == array[size // 2])
    array.flags.writeable = False
    assert key(array) == key(array.copy())


def test_what_lies_between_fields_and_under_masks_is_no_content():
    dtype = np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 8], "itemsize": 16})
    first, second = np.zeros(3, dtype), np.zeros(3, dtype)
    first.view("u1").reshape(3, 16)[:, 1:8] = 7
    first["a"] = second["a"] = 1
    assert key(first) == key(second)
    second["b"] = 2
    assert key(first) != key(second)
    mask = [True, False]
    assert key(np.ma.masked_array([1, 2], mask)) == key(np.ma.masked_array([9, 2], mask))
    assert key(np.ma.masked_array([1, 2], mask)) != key(np.ma.masked_array([1, 3], mask))


def test_arrays_of_objects_are_known_by_what_they_hold():
    distinct(np.array([1, "a"], object), np.array([1, "b"], object), np.array([[1, "a"]], object))
    with pytest.raises(TypeError):
        key(np.array([object()]))


def test_numpy_scalars_are_numbers_unless_typed():
    assert key(np.float64(1.5)) == key(1.5) == key(np.float32(1.5))
    assert key(np.int8(3)) == key(3) == key(np.uint64(3))
    assert key(np.bool_(True)) == key(True)
    assert key(np.str_("a")) == key("a")
    distinct(np.float64(1.5), np.float32(1.5), 1.5, np.int8(3), 3, np.dtype("i4"), np.dtype("i8"), typed=True)
    distinct(np.datetime64("2024-01-01"), np.datetime64("2024-01-02"), np.datetime64("2024-01-01", "s"))
    assert key(np.add) != key(np.multiply)


def test_a_large_array_is_not_copied():
    import tracemalloc

    array = np.zeros(4_000_000)
    key(array)
    tracemalloc.start()
    try:
        key(array)
        key(np.asfortranarray(array.reshape(2000, 2000)[:, :1]))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.reset_peak()
        key(array[::2])  # piece by piece
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------------- pandas


def test_tables_are_known_by_index_columns_types_and_content():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert key(frame) == key(frame.copy())
    distinct(
        frame,
        frame.rename(columns={"a": "c"}),
        frame[["b", "a"]],
        frame.set_index("a"),
        frame.astype({"a": "f8"}),
        frame.astype({"b": "category"}),
        frame.astype({"a": "Int64"}),
        frame.iloc[::-1],
        frame.replace("x", "z"),
        frame["a"],
        frame["a"].rename("z"),
        frame["b"],
        frame.index,
        frame.columns,
        pd.MultiIndex.from_frame(frame),
    )


def test_columns_of_all_kinds_have_keys():
    columns = {
        "time": pd.Series(pd.date_range("2024-01-01", periods=3)),
        "zone": pd.Series(pd.date_range("2024-01-01", periods=3, tz="Europe/Paris")),
        "delta": pd.Series(pd.timedelta_range("1s", periods=3)),
        "period": pd.Series(pd.period_range("2024", periods=3, freq="D")),
        "category": pd.Series(["a", "b", "a"], dtype="category"),
        "Int64": pd.Series([1, None, 3], dtype="Int64"),
        "boolean": pd.Series([True, None, False], dtype="boolean"),
        "string": pd.Series(["a", None, "b"], dtype="string"),
        "object": pd.Series([1, "a", None], dtype="object"),
        "interval": pd.Series(pd.interval_range(0, 3)),
        "sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1])),
    }
    distinct(*columns.values())
    for name, column in columns.items():
        assert key(column) == key(column.copy()), name
        assert key(column) != key(column.iloc[::-1]), name
    assert key(pd.DataFrame(columns)) == key(pd.DataFrame(columns).copy())
    distinct(
        pd.Timestamp("2024"),
        pd.Timestamp("2024", tz="UTC"),
        pd.Timedelta("1s"),
        pd.NaT,
        pd.NA,
        math.nan,
        None,
    )
