"""What type checkers must understand of wrappers that remember, expire and combine; checked by mypy, not run."""

from typing import assert_type

from holdall import FileDirStore, MemoryStore, Store
from holdall.wrappers import cached_keys, cached_values, compose, expiring, overlay, write_back

files: FileDirStore[str, int] = FileDirStore("files")

assert_type(cached_keys(files, keys_cache=sorted), FileDirStore[str, int])
assert_type(cached_keys(keys_cache=sorted)(files), FileDirStore[str, int])
assert_type(cached_values(files, cache=dict), FileDirStore[str, int])
assert_type(cached_values({"a": 1}, cache=MemoryStore()), Store[str, int])


def length(word: str) -> int:
    return len(word)


assert_type(cached_values(length, cache=MemoryStore(), max_age=3.5), Store[str, int])
assert_type(write_back(files, max_items=3), FileDirStore[str, int])
assert_type(expiring(files, ttl=3), FileDirStore[str, int])
assert_type(expiring(ttl=3)(files), FileDirStore[str, int])
assert_type(expiring(ttl=3)(FileDirStore[str, int]), type[FileDirStore[str, int]])
assert_type(compose(expiring(ttl=3), cached_keys)(files), FileDirStore[str, int])

# Several stores have the types that all of them have, if there are such.
assert_type(overlay(files, files), Store[str, int])
assert_type(overlay(files, {"a": 1}, write="first")["a"], int)
overlay(files, {1: "a"}, FileDirStore)


@cached_keys(keys_cache=sorted)
@expiring(ttl=3)
class Fresh(FileDirStore[str, int]):
    """Numbers that are worth a look for three seconds."""

    def total(self) -> int:
        """Add them."""
        return sum(self.values())


assert_type(Fresh("numbers", serializer="json")["a"], int)
assert_type(Fresh("numbers").total(), int)
