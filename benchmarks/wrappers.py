"""What a layer costs: nanoseconds per read through a store over a plain dict."""

from __future__ import annotations

from collections.abc import MutableMapping

from harness import Op, Workload, check, seconds

NO_LAYER, ONE, THREE, PREFIX = "get, no layer", "get, one transform", "get, three stacked", "get, key prefix"
SUBCLASS, DICT = "limit: hand-written subclass", "limit: the dict itself"


def double(number):
    return number + number


def plus_one(number):
    return number + 1


def halved(number):
    return number // 2


def with_prefix(key):
    return "prefix/" + key


def without_prefix(name):
    return name[7:]


class Plain(MutableMapping):
    """What anybody would write in a minute."""

    def __init__(self, data):
        self.data = data

    def __getitem__(self, key):
        try:
            return self.data[key]
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key, value):
        self.data[key] = value

    def __delitem__(self, key):
        del self.data[key]

    def __iter__(self):
        return iter(self.data)

    def __len__(self):
        return len(self.data)


class Transformed(Plain):
    """The same with one call more; a failing `int` is not mistaken for an absent key."""

    def __getitem__(self, key):
        try:
            data = self.data[key]
        except KeyError:
            raise KeyError(key) from None
        return int(data)


class ThreeTimes(Plain):
    """The same with three calls more."""

    def __getitem__(self, key):
        try:
            data = self.data[key]
        except KeyError:
            raise KeyError(key) from None
        return halved(plus_one(double(data)))


class Prefixed(Plain):
    """The same with another key."""

    def __getitem__(self, key):
        try:
            return self.data[with_prefix(key)]
        except KeyError:
            raise KeyError(key) from None


def stacked(wrap, store):
    """Wrap a store three times."""
    for function in (double, plus_one, halved):
        store = wrap(store, function)
    return store


def holdall(data, prefixed):
    from holdall import Store
    from holdall.wrappers import wrap_kvs

    return (
        Store(data),
        wrap_kvs(data, obj_of_data=int),
        stacked(lambda store, function: wrap_kvs(store, obj_of_data=function), data),
        wrap_kvs(prefixed, id_of_key=with_prefix, key_of_id=without_prefix),
    )


def hooks(data, prefixed):
    from holdall import Store

    class Hooked(Store):
        def _obj_of_data(self, data):
            return int(data)

    class Three(Store):
        def _obj_of_data(self, data):
            return halved(plus_one(double(data)))

    class Prefixed(Store):
        def _id_of_key(self, key):
            return with_prefix(key)

        def _key_of_id(self, id):
            return without_prefix(id)

    return Store(data), Hooked(data), Three(data), Prefixed(prefixed)


def memory(data, prefixed):
    import holdall
    from holdall.keys import Prefix
    from holdall.wrappers import wrap_keys

    return holdall.MemoryStore(data), None, None, wrap_keys(prefixed, keys=Prefix("prefix/"))


def dol(data, prefixed):
    import dol

    @dol.wrap_kvs(id_of_key=with_prefix, key_of_id=without_prefix)
    class Prefixed(dol.Store):
        pass

    return (
        dol.Store(data),
        dol.wrap_kvs(data, obj_of_data=int),
        stacked(lambda store, function: dol.wrap_kvs(store, obj_of_data=function), data),
        Prefixed(prefixed),
    )


def zict(data, prefixed):
    from operator import pos

    from zict import Func

    three = stacked(lambda store, function: Func(function, function, store), data)
    return Func(pos, pos, data), Func(int, int, data), three, None


MAKERS = {
    "holdall": holdall,
    "holdall (hooks)": hooks,
    "holdall (MemoryStore, Prefix)": memory,
    "dol": dol,
    "zict": zict,
    SUBCLASS: lambda data, prefixed: (Plain(data), Transformed(data), ThreeTimes(data), Prefixed(prefixed)),
    DICT: lambda data, _: (data, None, None, None),
}


def read(store, keys, repeat):
    for _ in range(repeat):
        for key in keys:
            value = store[key]
    return value


def measure(contestant, place, *, repeat, passes):
    """Give nanoseconds per read, the loop included, the best of `passes`."""
    keys = [f"key{i:04d}" for i in range(1000)]
    data = {key: 1000 + i for i, key in enumerate(keys)}
    best = {}
    stores = MAKERS[contestant](data, {with_prefix(key): value for key, value in data.items()})
    for name, store in zip((NO_LAYER, ONE, THREE, PREFIX), stores, strict=True):
        if store is None:
            continue
        times = []
        for _ in range(passes):
            time, value = seconds(read, store, keys, repeat)
            check(value == data[keys[-1]], f"read {value!r}")
            times.append(time)
        best[name] = min(times) / repeat / len(keys) * 1e9
    return best


def workloads(places, *, quick):
    yield Workload(
        "wrappers",
        "Layers over a dict of 1,000 keys",
        tuple(MAKERS),
        (
            Op(NO_LAYER, "ns", SUBCLASS, more_is_better=False, at_most=90),
            Op(ONE, "ns", SUBCLASS, more_is_better=False, at_most=110),
            Op(THREE, "ns", SUBCLASS, more_is_better=False, at_most=200),
            Op(PREFIX, "ns", SUBCLASS, more_is_better=False, at_most=200),
        ),
        options={"repeat": 20 if quick else 100, "passes": 3 if quick else 10},
        notes=(
            (
                "The values are integers. One transform is `int`; three are functions written in Python, "
                "each added by a wrapper of its own."
            ),
            (
                "holdall: `wrap_kvs`, and in the next row a subclass of `Store` with hooks, which call the "
                "three functions in one; its `MemoryStore` row has the codec `Prefix` in the last column. "
                "dol: `wrap_kvs`, for the prefix on a class; zict: `Func`."
            ),
            "zict has no store without a layer: its first column is `Func` with `operator.pos`.",
            "The loop itself is included for all; the last row shows it.",
        ),
    )
