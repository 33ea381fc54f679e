"""The verbs of a memoized function are there, whatever the function and its parameters are called."""

import functools

import pytest

from holdall import memoize

VERBS = ("cache_info", "cache_clear", "cache_key", "forget", "peek", "refresh", "outdated", "version_info")


def test_a_parameter_may_be_called_self_or_like_anything_of_ours():
    @memoize({})
    def f(self, args=0, kwargs=0, memoized=0):
        return [self, args, kwargs, memoized]

    given = {"self": 1, "args": 2, "kwargs": 3, "memoized": 4}
    assert f(**given) == f(1, 2, 3, 4) == [1, 2, 3, 4]
    assert f.cache_key(**given) == f.cache_key(1, 2, 3, 4)
    assert f.peek(**given) == f.refresh(**given) == [1, 2, 3, 4]
    assert f.forget(**given)
    assert f.cache_info()[:2] == (1, 2)
    bound = memoize(functools.partial(f.__wrapped__, 1))
    assert bound(args=2, kwargs=3, memoized=4) == bound.peek(args=2, kwargs=3, memoized=4) == [1, 2, 3, 4]


def test_a_method_may_be_called_with_self_by_name():
    class Model:
        @memoize(ignore="self")
        def run(self, x):
            return x

    assert Model.run(self=Model(), x=1) == Model().run(x=1) == Model.run.peek(self=None, x=1) == 1


def test_attributes_of_the_function_hide_no_verbs():
    def f(x):
        return x

    for name in (*VERBS, "store", "entries", "_hot", "_quick", "__wrapped__"):
        setattr(f, name, "of somebody else")
    f.kind = "mine"
    del f.__wrapped__
    memoized = memoize({})(f)
    assert memoized(1) == memoized.peek(1) == memoized.refresh(1) == 1
    assert memoized.cache_info().misses == 2
    assert len(memoized.entries) == 1
    assert memoized.kind == "mine"
    memoized.cache_clear()
    assert all(callable(getattr(memoized, name)) for name in VERBS)


@pytest.mark.parametrize("decorator", [functools.cache, functools.lru_cache(maxsize=2), memoize, memoize({})])
def test_a_function_that_another_cache_has_decorated_keeps_our_verbs(decorator):
    @memoize({})
    @decorator
    def f(x):
        return x

    assert (f(1), f(1), f.peek(1)) == (1, 1, 1)
    assert f.cache_info().hits == 1
    assert len(f.entries) == 1
    f.cache_clear()
    assert len(f.entries) == 0
