"""What type checkers must understand of wrappers; checked by mypy, not run."""

import json
from typing import Any, assert_type

from holdall import FileDirStore, MemoryStore, Store
from holdall.keys import Prefix
from holdall.wrappers import (
    Checks,
    add_ipython_key_completions,
    aliases,
    append_only,
    appendable,
    compose,
    filt_iter,
    flatten,
    read_only,
    wrap_keys,
    wrap_kvs,
    write_once,
    write_once_checks,
)

files: FileDirStore[str, int] = FileDirStore("files")

# What changes no types gives back what it was given.
assert_type(read_only(files), FileDirStore[str, int])
assert_type(read_only()(files), FileDirStore[str, int])
assert_type(append_only(files)["x"], int)
assert_type(write_once(files, check_probability=0.5), FileDirStore[str, int])
assert_type(write_once(check_probability=1)(files), FileDirStore[str, int])
assert_type(write_once_checks(files), Checks)
assert_type(filt_iter(files, prefix="x"), FileDirStore[str, int])
assert_type(filt_iter(filt=str.isdigit)(files), FileDirStore[str, int])
assert_type(wrap_keys(files, keys=Prefix("x")), FileDirStore[str, int])
assert_type(aliases(files, read="load"), FileDirStore[str, int])
assert_type(appendable(files, item2kv=lambda item: (item, item)), FileDirStore[str, int])
assert_type(add_ipython_key_completions(files), FileDirStore[str, int])
assert_type(compose(read_only, filt_iter(prefix="x"))(files), FileDirStore[str, int])
assert_type(read_only({"a": 1}), Store[str, int])
assert_type(read_only(dict[str, int])({"a": 1})["a"], int)
assert_type(read_only(FileDirStore[str, int])("files")["a"], int)
assert_type(read_only(MemoryStore[str, bytes]), type[MemoryStore[str, bytes]])

# What functions give outwards are the new types.
assert_type(wrap_kvs(files, data_of_obj=abs), FileDirStore[str, int])
assert_type(wrap_kvs(files, obj_of_data=str), Store[str, str])
assert_type(wrap_kvs(files, id_of_key=str, key_of_id=int), Store[int, int])
assert_type(wrap_kvs(files, id_of_key=str, key_of_id=int, obj_of_data=float), Store[int, float])
assert_type(wrap_kvs({"a": b"x"}, obj_of_data=bytes.decode), Store[str, str])
assert_type(wrap_kvs(obj_of_data=str)(files), Store[str, str])
assert_type(wrap_kvs(key_of_id=int, id_of_key=str)(files), Store[int, int])
assert_type(wrap_kvs(key_of_id=int, obj_of_data=str)(files), Store[int, str])
assert_type(wrap_kvs(id_of_key=str)(files), FileDirStore[str, int])
assert_type(flatten({"a": {"b": 1}}, levels=2), Store[tuple[Any, ...], Any])


def postget(key: str, value: int) -> bytes:
    return bytes(value)


assert_type(wrap_kvs(files, postget=postget), Store[str, bytes])
assert_type(wrap_kvs(files, obj_of_data=str, postget=postget), Store[str, bytes])
assert_type(wrap_kvs(postget=postget)(files), Store[str, bytes])


@wrap_kvs(data_of_obj=json.dumps, obj_of_data=json.loads)
class Documents(FileDirStore[str, dict[str, int]]):
    def total(self, key: str) -> int:
        return sum(self[key].values())


documents = Documents("documents")
assert_type(documents["x"], dict[str, int])
assert_type(documents.total("x"), int)


@read_only
class Shown(Documents):
    pass


assert_type(Shown("documents")["x"], dict[str, int])
assert_type(Shown("documents").total("x"), int)
