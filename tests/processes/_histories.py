"""Workers that do operations of all kinds on a few keys, and record when each began and what it said."""

import random
import time

from holdall import DELETE_CURRENT, ITEM_NOT_AVAILABLE
from holdall.abc import PersisterWrapper
from holdall.conditional import ALWAYS_RETRIEVE, ANY_ETAG, ETAG_HAS_CHANGED, ETAG_IS_THE_SAME
from processes._support import open_store

KINDS = [
    *("read", "look", "set", "set any", "set same", "set same", "set changed", "delete same", "discard same"),
    *("transform", "transform", "transform away", "pop", "del", "setdefault", "setdefault_if"),
]


class _LosesUpdates(PersisterWrapper):
    """Compares, waits for somebody to come between, and swaps."""

    def write(self, id, data, expected=ANY_ETAG):
        self.inner.require(id, expected)
        time.sleep(0.0005)
        return self.inner.write(id, data)


def make_history(number, path, keys, times, *, broken, begin):
    """Do operations on keys that others use too; give for each its key, and what a register is told of it."""
    store = open_store(path)
    if broken:
        store = store.with_persister(_LosesUpdates(store.pipeline.persister))
    chance = random.Random(number)
    history = []
    known = dict.fromkeys(keys, (ITEM_NOT_AVAILABLE, None))
    time.sleep(max(0, begin - time.monotonic()))
    for turn in range(times):
        key = keys[turn % len(keys)]
        value = number * 1_000_000 + turn + 1
        kind = chance.choice(KINDS)
        started = time.monotonic_ns()
        told, *said = _do(store, key, kind, value, known)
        history.append((key, (told, tuple(said), started, time.monotonic_ns())))
    return history


def _do(store, key, kind, value, known):
    """Do an operation; give its kind in the words of the register, and what it said."""
    etag, expected = known[key]
    same = {"condition": ETAG_IS_THE_SAME, "expected_etag": etag}
    if kind == "read":
        return "read", store.get(key)
    if kind == "look":  # a snapshot of value and etag
        found = store.get_item_if(
            key, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE, retrieve_value=ALWAYS_RETRIEVE
        )
        known[key] = found.actual_etag, _held(found.new_value)
        return "read", known[key][1]
    if kind == "set":
        store[key] = value
        return "set", value
    if kind in {"set any", "set same", "set changed", "delete same"}:
        conditions = {"set any": ANY_ETAG, "set changed": ETAG_HAS_CHANGED}
        result = store.set_item_if(
            key,
            value=DELETE_CURRENT if kind == "delete same" else value,
            condition=conditions.get(kind, ETAG_IS_THE_SAME),
            expected_etag=etag,
            retrieve_value=ALWAYS_RETRIEVE,
        )
        known[key] = result.resulting_etag, _held(result.new_value)
        if kind == "set any":
            return "set", value
        wanted = None if kind == "delete same" else value
        told = "cas" if kind.endswith("same") else "swap changed"
        return told, expected, wanted, result.condition_was_satisfied, known[key][1]
    if kind == "discard same":
        result = store.discard_if(key, **same)
        done = result.condition_was_satisfied
        return "cas", expected, None, done
    if kind == "transform":
        seen = []
        store.transform_item(key, transformer=lambda old: (seen.append(old), value)[1], n_retries=None)
        return "transform", _held(seen[-1]), value
    if kind == "transform away":
        seen = []
        store.transform_item(
            key, transformer=lambda old: (seen.append(old), DELETE_CURRENT)[1], n_retries=None
        )
        return "transform", _held(seen[-1]), None
    if kind == "pop":
        return "pop", store.pop(key, None)
    if kind == "del":
        try:
            del store[key]
        except KeyError:
            return "read", None
        return ("del",)
    if kind == "setdefault":
        return "setdefault", value, store.setdefault(key, value)
    result = store.setdefault_if(key, default_value=value, retrieve_value=ALWAYS_RETRIEVE, **same)
    known[key] = result.resulting_etag, _held(result.new_value)
    if etag is ITEM_NOT_AVAILABLE:
        return "cas", None, value, result.condition_was_satisfied, known[key][1]
    return "read", known[key][1]  # it inserts only if it expects nothing


def _held(value):
    return None if value is ITEM_NOT_AVAILABLE else value
