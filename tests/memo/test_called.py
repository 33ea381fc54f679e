"""Whatever is called, its results are its own: methods, partial functions, objects, decorated ones."""

import asyncio
import dataclasses
import functools
import inspect
import itertools
import math
import operator
import pickle
import re

import pytest

import holdall
from holdall import InvalidArgumentError, memoize
from holdall.memo import MEMORY


@dataclasses.dataclass
class Rate:
    rate: int

    def run(self, x, y=0):
        return self.rate * x + y

    def __call__(self, x):
        return self.rate * x

    @classmethod
    def create(cls, x):
        return cls.__name__, x


class Other(Rate):
    pass


class Fast(dict):
    pass


@dataclasses.dataclass
class Waiting:
    rate: int

    async def __call__(self, x):
        return self.rate * x


def add(x, y, z=0):
    return x + 10 * y + 100 * z


async def double(x, y=2):
    return x * y


PLACES = {"memory": lambda path: MEMORY, "dict": lambda path: {}, "database": lambda path: path / "kept.db"}


@pytest.fixture(params=PLACES)
def decorate(request, tmp_path):
    place = PLACES[request.param](tmp_path)
    made = []

    def decorate(function, **options):
        made.append(memoize(place, **options)(function))
        return made[-1]

    yield decorate
    for memoized in made:
        if isinstance(memoized.store, holdall.SQLiteStore):
            memoized.store.close()


def twice(function, *args, **kwargs):
    """Call a memoized function twice, see that it computes once, and give the result."""
    before = function.cache_info()
    first, second = function(*args, **kwargs), function(*args, **kwargs)
    after = function.cache_info()
    assert first == second
    assert after.misses + after.hits == before.misses + before.hits + 2
    assert after.misses - before.misses <= 1
    return first


def test_bound_methods_answer_for_their_object(decorate):
    runs = [decorate(Rate(rate).run) for rate in (2, 3, 2)]
    assert [twice(run, 10) for run in runs] == [20, 30, 20]
    assert runs[0].peek(10) == 20
    assert runs[0].forget(10)
    other = decorate(Other(2).run)
    assert other(10, y=1) == 21


def test_methods_memoized_for_each_instance_answer_for_it(tmp_path):
    class Model:
        def __init__(self, rate):
            self.rate = rate
            self.run = memoize(tmp_path / "r.db")(self.run)

        def __memo_key__(self):
            return self.rate

        def run(self, x):
            return self.rate * x

    models = [Model(2), Model(3)]
    assert [model.run(10) for model in models] == [20, 30]
    models[0].rate = 5  # known by what it is when it is called
    assert models[0].run(10) == 50
    models[0].run.store.close()


def test_bound_methods_of_what_nothing_is_known_of_are_refused():
    class Opaque:
        def run(self, x):
            return x

    with pytest.raises(InvalidArgumentError, match=r"argument 'self'.*Opaque.*__memo_key__"):
        memoize({})(Opaque().run)(1)
    assert memoize({}, ignore="self")(Opaque().run)(1) == 1


def test_class_methods_answer_for_their_class(decorate):
    created = [decorate(cls.create) for cls in (Rate, Other)]
    assert [twice(create, 1) for create in created] == [("Rate", 1), ("Other", 1)]
    made = [decorate(cls.fromkeys) for cls in (dict, Fast)]
    assert [type(twice(make, (1,))) for make in made] == [dict, Fast]


def test_methods_of_built_in_objects_answer_for_their_object(decorate):
    found = [decorate(re.compile(pattern).findall) for pattern in ("a", "b")]
    assert [twice(find, "aab") for find in found] == [["a", "a"], ["b"]]
    joined = [decorate(text.join) for text in ("-", "+")]
    assert [twice(join, ("a", "b")) for join in joined] == ["a-b", "a+b"]
    assert [twice(decorate(n.__add__), 1) for n in (1, 2)] == [2, 3]
    assert twice(decorate(math.sqrt), 4) == 2
    assert twice(decorate(str.upper), "a") == "A"


def test_partial_functions_answer_for_their_arguments(decorate):
    parts = [
        functools.partial(add, 1),
        functools.partial(add, 2),
        functools.partial(add, 1, z=1),
        functools.partial(functools.partial(add, z=1), 2),
        functools.partial(Rate(3).run, y=1),
        functools.partial(Rate(4).run, y=1),
    ]
    assert [twice(decorate(part), 5) for part in parts] == [51, 52, 151, 152, 16, 21]
    z = decorate(functools.partial(add, 1, z=1))
    assert (z(5, z=2), z.peek(5, z=2), z(y=5)) == (251, 251, 151)


def test_arguments_bound_before_may_be_changed_later():
    table = [1]
    f = memoize({})(functools.partial(lambda table, x: table[0] + x, table))
    assert f(1) == 2
    table[0] = 5
    assert f(1) == 6


def test_callable_objects_answer_for_what_they_hold(decorate):
    assert [twice(decorate(Rate(rate)), 10) for rate in (2, 3)] == [20, 30]


def test_callable_objects_and_partial_functions_may_be_asynchronous(decorate):
    async def main():
        functions = [
            decorate(function) for function in (Waiting(2), Waiting(3), functools.partial(double, y=5))
        ]
        assert all(map(inspect.iscoroutinefunction, functions)) or not hasattr(
            inspect, "markcoroutinefunction"
        )
        assert all(map(asyncio.iscoroutinefunction, functions))
        for function in functions:
            await function(10)
        return [await function(10) for function in functions], [f.cache_info().misses for f in functions]

    assert asyncio.run(main()) == ([20, 30, 50], [1, 1, 1])


def test_what_has_no_name_needs_one():
    with pytest.raises(InvalidArgumentError, match="name="):
        memoize({})(operator.itemgetter(1))
    assert memoize({}, name="second")(operator.itemgetter(1))((1, 2)) == 2
    assert memoize(operator.itemgetter(1))((1, 2)) == 2


def test_key_and_ignore_speak_of_the_arguments_of_the_call(decorate):
    keyed = [decorate(Rate(rate).run, key=lambda x, y=0: x % 10) for rate in (2, 3)]
    assert [keyed[0](1), keyed[0](11), keyed[1](1)] == [2, 2, 3]
    ignoring = decorate(functools.partial(add, 1), ignore=0)
    assert [ignoring(1), ignoring(2)] == [11, 11]
    named = decorate(functools.partial(add, 1), ignore="y")
    assert [named(1), named(2)] == [11, 11]


# ---------------------------------------------------------------------- decorators between


def scaled(factor):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return factor * function(*args, **kwargs)

        return wrapper

    return decorate


class Scaled:
    def __init__(self, function, factor):
        functools.update_wrapper(self, function)
        self.function, self.factor = function, factor

    def __call__(self, x):
        return self.factor * self.function(x)


def one(x, y=0):
    return x + y


@pytest.mark.parametrize("options", [{}, {"version": "source"}, {"version": None}, {"version": 2}], ids=repr)
def test_decorators_between_are_part_of_the_function(decorate, options):
    functions = [decorate(scaled(factor)(one), **options) for factor in (10, 20, 30)]
    functions += [decorate(scaled(2)(scaled(10)(one)), **options), decorate(one, **options)]
    assert [twice(f, 1) for f in functions] == [10, 20, 30, 20, 1]
    by_hand = options.get("version", "source") != "source"
    keys = {f._place_of_entries() for f in functions}
    assert len(keys) == len(functions), by_hand


def test_decorators_that_are_objects_are_asked_what_they_hold():
    with pytest.raises(InvalidArgumentError, match=r"'self' of Scaled.__call__ .*__memo_key__"):
        memoize({})(Scaled(one, 2))(1)

    class Known(Scaled):
        def __memo_key__(self):
            return self.function, self.factor

    place = {}
    assert [memoize(place)(Known(one, factor))(1) for factor in (2, 3)] == [2, 3]


def test_a_decorator_with_parameters_of_its_own_is_called_by_those():
    def doubled(function):
        @functools.wraps(function)
        def wrapper(x, y=5):
            return function(x, y)

        return wrapper

    f = memoize(doubled(one))
    assert (f(1), f(1, 0), f(1, 5), f(x=1)) == (6, 1, 6, 6)
    assert f.cache_info().misses == 2


def test_a_decorator_may_give_other_defaults():
    def five(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            if len(args) < 2:
                kwargs.setdefault("y", 5)
            return function(*args, **kwargs)

        return wrapper

    f = memoize(five(one))
    assert (f(1), f(1, 0), f(1, y=0), f(x=1), f(1, 5)) == (6, 1, 1, 6, 6)
    assert f.cache_info().misses == 3
    g = memoize({}, ignore="y", readable=True)(five(one))
    assert (g(1), g(1, 7), g(1, y=8)) == (6, 6, 6)


def test_a_decorator_may_give_further_arguments():
    def connected(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function("connection", *args)

        return wrapper

    @memoize({})
    @connected
    def fetch(connection, name):
        return f"{connection} {name}"

    assert (fetch("a"), fetch("a"), fetch("b")) == ("connection a", "connection a", "connection b")
    assert fetch.cache_info().misses == 2


def test_a_memoized_function_can_be_memoized():
    inner, place = memoize(one), {}
    outer = memoize(place)(inner)
    assert (outer(1), outer(1, 0)) == (1, 1)
    assert (inner.cache_info().misses, outer.cache_info().misses) == (1, 1)
    assert [key.partition("/")[0] for key in place] == ["holdall+tests.memo.test_called.one"]


def loose(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


SIGNATURES = {
    "none": lambda: (),
    "one": lambda x: (x,),
    "two": lambda x, y=1: (x, y),
    "rest and keyword": lambda x=1, *xs, y=1: (x, xs, y),
    "keyword": lambda x=1, *, y=1: (x, y),
    "rest": lambda *xs: xs,
    "one and rest": lambda x=1, *xs: (x, xs),
    "names": lambda x=1, **names: (x, sorted(names.items())),
    "loose": loose(lambda x=1, y=1: (x, y)),
    "loose rest": loose(lambda x=1, *xs: (x, xs)),
}


@pytest.mark.parametrize("options", [{}, {"typed": True}, {"version": 1}], ids=repr)
@pytest.mark.parametrize("name", SIGNATURES)
def test_all_ways_to_call_give_what_the_function_gives(name, options):
    function, f = SIGNATURES[name], memoize(**options)(SIGNATURES[name])
    values = (0, 1, "a", None, (1,), [1])
    calls = [(args, {}) for n in range(4) for args in itertools.product(values[: 6 - n], repeat=n)]
    calls += [((1,), {"y": 1}), ((), {"x": 0, "y": "a"}), ((0,), {"x": 1})]
    for args, kwargs in calls * 2:
        try:
            expected = function(*args, **kwargs)
        except TypeError:
            with pytest.raises(TypeError):
                f(*args, **kwargs)
        else:
            assert f(*args, **kwargs) == expected


def test_what_is_ignored_is_not_taken_for_something_else():
    f = memoize(ignore="x")(lambda x, y=9: y)
    assert (f(x=5, y=1), f(1), f(1, 1), f(9), f(9, 1)) == (1, 9, 1, 9, 1)
    g = memoize(ignore="x")(lambda x=0, *, y=9: y)
    assert (g(y=1), g(1), g()) == (1, 9, 9)


def test_bound_ones_can_be_pickled():
    f = pickle.loads(pickle.dumps(memoize(functools.partial(add, 1))))
    assert f(2) == 21
