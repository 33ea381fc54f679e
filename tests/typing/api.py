"""What type checkers must understand of holdall; checked by mypy, not run."""

from collections.abc import ItemsView
from typing import assert_type

from holdall import (
    FileDirStore,
    MemoryStore,
    Persister,
    S3Store,
    ScriptStore,
    Store,
    TransformResult,
    Value,
    memoize,
)
from holdall.conditional import ETAG_IS_THE_SAME
from holdall.keys import PathKeys
from holdall.conditional import ConditionalResult
from holdall.conditional import Sentinel
from holdall.wrappers import cached_keys, cached_values, expiring, overlay, write_back


class Model:
    pass


models: FileDirStore[str, Model] = FileDirStore("models")
shared: S3Store[str, Model] = S3Store("bucket", prefix="models", cache_dir="cache")
assert_type(shared["x"], Model)
assert_type(shared.get_subdict("a"), S3Store[str, Model])
assert_type(shared.object_key("x"), str)
assert_type(models["x"], Model)
assert_type(models.get("x"), Model | None)
assert_type(models.get("x", 0), Model | int)
assert_type(models.pop("x", None), Model | None)
assert_type(models.items(), ItemsView[str, Model])
assert_type(models.get_subdict("a"), FileDirStore[str, Model])
assert_type(models.subdicts(), dict[str, FileDirStore[str, Model]])
assert_type(models.newest_keys(3), list[str])
assert_type(models.oldest_values(), list[Model])
assert_type(models.random_key(), str | None)
assert_type(models.discard("x"), bool)
assert_type(models.timestamp("x"), float)
assert_type(models.etag("x"), str)
assert_type(models.head(), tuple[str, Model])
assert_type(models.copy(), dict[str, Model])
assert_type(models.transform_item("x", transformer=lambda old: old), TransformResult[Model])

result = models.set_item_if("x", value=Model(), condition=ETAG_IS_THE_SAME, expected_etag=models.etag("x"))
assert_type(result, ConditionalResult[Model])
assert_type(result.new_value, Model | Sentinel)

counts = MemoryStore[str, int]()
counts["x"] = 1
assert_type(counts["x"], int)
assert_type(PathKeys().encode("x"), str)

plain: Store[tuple[str, int], bytes] = Store({})
assert_type(plain[("x", 1)], bytes)


class Upper(Store[str, int]):
    def _id_of_key(self, key: str) -> str:
        return key.upper()


assert_type(Upper({})["x"], int)


def takes_persister(place: Persister) -> None:
    place.put("x", b"1")


assert_type(cached_keys(models), FileDirStore[str, Model])
assert_type(cached_keys(models, keys_cache=sorted), FileDirStore[str, Model])
assert_type(cached_values({"a": 1}, cache={}), Store[str, int])
assert_type(write_back(FileDirStore, max_items=5), type[FileDirStore])
assert_type(expiring(ttl=5)(counts), MemoryStore[str, int])
assert_type(expiring(models, ttl=5).purge(), int)
scores: ScriptStore[str, int] = ScriptStore()
assert_type(scores["x"], int)

runs = Value(0)
assert_type(runs.value, int)
assert_type(runs(), int)
assert_type(runs(3), int)
assert_type(runs.transform(lambda old: old + 1), int)
runs.value += 1
names: Value[list[str]] = Value([])
with names.edit() as inner:
    assert_type(inner, list[str])


def count() -> int:
    global runs
    runs += 1
    return int(runs) + len(names)


@memoize
def bare(x: int, *, y: str = "") -> float:
    return float(x)


@memoize(models, ttl=3)
def kept(x: int) -> list[str]:
    return [str(x)]


@memoize()
async def coroutine(x: int) -> str:
    return str(x)


class Client:
    @memoize({}, ignore="self")
    def get(self, url: str) -> bytes:
        return url.encode()


assert_type(bare(1, y="a"), float)
assert_type(kept(1), list[str])
assert_type(kept.refresh(1), list[str])
assert_type(kept.cache_key(x=1), str)
assert_type(kept.forget(1), bool)
assert_type(kept.cache_info().hits, int)
assert_type(Client().get("x"), bytes)
assert_type(Client().get.refresh("x"), bytes)
bare("1")  # type: ignore[arg-type]
kept.peek(1, 2)  # type: ignore[call-arg]


async def awaited() -> None:
    assert_type(await coroutine(1), str)
