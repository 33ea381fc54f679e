"""What a layer costs: nanoseconds per read through a store over a plain dict."""

from __future__ import annotations

from collections.abc import MutableMapping

from harness import Op, Workload, check, seconds

NO_LAYER, ONE = "get, no layer", "get, one transform"
SUBCLASS, DICT = "limit: hand-written subclass", "limit: the dict itself"


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


def holdall(data):
    import holdall

    class Hooked(holdall.Store):
        def _obj_of_data(self, data):
            return int(data)

    return holdall.Store(dict(data)), Hooked(dict(data))


def memory(data):
    import holdall

    store = holdall.MemoryStore()
    store.update(data)
    return store, None


def dol(data):
    import dol

    return dol.Store(dict(data)), dol.wrap_kvs(dict(data), obj_of_data=int)


def zict(data):
    from operator import pos

    from zict import Func

    return Func(pos, pos, dict(data)), Func(int, int, dict(data))


MAKERS = {
    "holdall": holdall,
    "holdall (MemoryStore)": memory,
    "dol": dol,
    "zict": zict,
    SUBCLASS: lambda data: (Plain(data), Transformed(data)),
    DICT: lambda data: (data, None),
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
    for name, store in zip((NO_LAYER, ONE), MAKERS[contestant](data), strict=True):
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
        ),
        options={"repeat": 20 if quick else 100, "passes": 3 if quick else 10},
        notes=(
            "The values are integers and the transform is `int`.",
            (
                "holdall: a subclass of `Store` with the hook `_obj_of_data`; "
                "dol: `wrap_kvs(obj_of_data=int)`; zict: `Func(int, int, ...)`."
            ),
            "zict has no store without a layer: its first column is `Func` with `operator.pos`.",
            "The loop itself is included for all; the last row shows it.",
        ),
    )
