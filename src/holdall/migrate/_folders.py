"""Folders of other libraries: chest, persidict, joblib, data sets of persist; and scripts of pycaboose."""

import itertools
import json
import os
import sys
from base64 import b32encode
from collections.abc import Iterator
from hashlib import blake2b, md5
from types import ModuleType
from typing import Any

from holdall.archive._info import LOG_NAME
from holdall.archive._package import MARKER
from holdall.conditional import Stat
from holdall.errors import InvalidArgumentError, MismatchError, StoreNotFoundError, UnsupportedError
from holdall.migrate._pycaboose import values_in
from holdall.migrate._reader import ForeignReader, hashable, inside, joblib_load, stat_of_file, walk
from holdall.serializers import get_serializer

__all__ = ["ChestReader", "JoblibReader", "PersidictReader", "PersistReader", "PycabooseReader"]

_numbers = itertools.count(1)


class ChestReader(ForeignReader):
    """A folder of chest, in the state of its last flush."""

    def __init__(self, path: Any, serializer: Any, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        self._serializer = get_serializer(serializer)
        index = os.path.join(self.path, ".keys")
        with self.reading("the list of keys"):
            self._names = {hashable(key): inside(self.path, name) for key, name in self._loaded(index)}

    def files(self) -> list[str]:  # docstring inherited
        index = os.path.join(self.path, ".keys")
        return [index] if os.path.isfile(index) else []

    def _loaded(self, path: str) -> Any:
        load = self._serializer.load
        if self._serializer.executes_code:
            return self.loaded_file(path, load)
        with open(path, "rb") as file:
            return load(file)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._names)

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return stat_of_file(self._names[id], id)

    def value(self, id: Any) -> Any:  # docstring inherited
        return self._loaded(self._names[id])


class PersidictReader(ForeignReader):
    """A folder of persidict: keys are the parts, joined by slashes."""

    def __init__(self, path: Any, format: str | None, digest_len: int, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        self._digits = digest_len
        self._end = "." + (self._found() if format is None else format)

    def files(self) -> list[str]:  # docstring inherited
        return [self.path] if os.path.isdir(self.path) else []

    def _found(self) -> str:
        ends = {os.path.splitext(name)[1] for _, _, names in walk(self.path) for name in names}
        known = sorted({end[1:] for end in ends if end} - {"__tmp__"})
        if len(known) > 1:
            raise InvalidArgumentError(f"{self.path} holds several formats, say which: {', '.join(known)}")
        return known[0] if known else "pkl"

    def __iter__(self) -> Iterator[str]:
        for folder, folders, names in walk(self.path):
            folders.sort()
            parts = os.path.relpath(folder, self.path).split(os.sep) if folder != self.path else []
            for name in sorted(names):
                if name.endswith(self._end):
                    yield "/".join(map(self._unsigned, [*parts, name.removesuffix(self._end)]))

    def _signature(self, name: str) -> str:
        digest = b32encode(md5(name.encode(), usedforsecurity=False).digest()).decode().lower()
        return "_" + digest[: self._digits] if self._digits else ""

    def _unsigned(self, part: str) -> str:
        name = part[: -1 - self._digits]
        return name if self._digits and name and part == name + self._signature(name) else part

    def _file(self, id: Any) -> str:
        if not isinstance(id, str) or any(part in {"", ".", ".."} for part in id.split("/")):
            raise KeyError(id)
        signed = [part + self._signature(part) for part in id.split("/")]
        path = os.path.join(self.path, *signed) + self._end
        plain = os.path.join(self.path, *id.split("/")) + self._end
        return plain if not os.path.exists(path) and os.path.exists(plain) else path

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return stat_of_file(self._file(id), id)

    def value(self, id: Any) -> Any:  # docstring inherited
        path = self._file(id)
        if self._end == ".pkl":
            return self.loaded_file(path, joblib_load)
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        return _plain(json.loads(text)) if self._end == ".json" else text


def _plain(value: Any) -> Any:
    """Return the value that jsonpickle would decode, where that runs no code."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    tags = [name for name in value if name.startswith("py/")]
    if not tags:
        return {name: _plain(item) for name, item in value.items()}
    if len(value) == 1 and tags[0] in {"py/tuple", "py/set"}:
        items = [_plain(item) for item in value[tags[0]]]
        return tuple(items) if tags[0] == "py/tuple" else set(items)
    raise UnsupportedError(
        f"jsonpickle would make an object of it ({tags[0]}), which can run code: read it by persidict itself"
    )


class JoblibReader(ForeignReader):
    """A cache of joblib: results, or the metadata of calls."""

    def __init__(self, path: Any, *, listing: bool, trust: bool) -> None:
        super().__init__(path, trust=trust)
        below = os.path.join(self.path, "joblib")
        self._folder = below if os.path.isdir(below) else self.path
        self._listing = listing

    def files(self) -> list[str]:  # docstring inherited
        if os.path.isdir(os.path.join(self.path, "joblib")):
            return [self.path]
        return [self.path] if any("output.pkl" in names for _, _, names in walk(self.path)) else []

    def __iter__(self) -> Iterator[str]:
        for folder, folders, names in walk(self._folder):
            folders.sort()
            if "output.pkl" in names:
                yield os.path.relpath(folder, self._folder).replace(os.sep, "/")

    def _file(self, id: Any, name: str) -> str:
        if not isinstance(id, str) or any(part in {"", ".", ".."} for part in id.split("/")):
            raise KeyError(id)
        return os.path.join(self._folder, *id.split("/"), name)

    def stat(self, id: Any) -> Stat:  # docstring inherited
        stat = stat_of_file(self._file(id, "output.pkl"), id)
        return stat._replace(mtime=self._about(id).get("time", stat.mtime))

    def _about(self, id: Any) -> dict[str, Any]:
        try:
            with open(self._file(id, "metadata.json"), encoding="utf-8") as file:
                about = json.load(file)
        except (OSError, ValueError):  # missing (older joblibs), or damaged
            return {}
        return about if isinstance(about, dict) else {}

    def value(self, id: Any) -> Any:  # docstring inherited
        if self._listing:
            about = self._about(id)
            return {
                "arguments": about.get("input_args", {}),
                "duration": about.get("duration"),
                "function": ".".join(id.split("/")[:-1]),
            }
        return self.loaded_file(self._file(id, "output.pkl"), joblib_load)


class PersistReader(ForeignReader):
    """A data set of persist: Python modules, which are run to be read, like pickles."""

    def __init__(self, path: Any, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        if os.path.exists(os.path.join(self.path, LOG_NAME)):
            raise MismatchError(f"{self.path} was written by holdall: open it by holdall.DataSet")

    def files(self) -> list[str]:  # docstring inherited
        marker = os.path.join(self.path, MARKER)
        return [marker] if os.path.isfile(marker) else []

    def __iter__(self) -> Iterator[str]:
        for name in sorted(os.listdir(self.path)):
            stem, end = os.path.splitext(name)
            if end == ".py" and stem.isidentifier() and not stem.startswith("_"):
                yield stem

    def _file(self, id: Any) -> str:
        if not isinstance(id, str) or not id.isidentifier() or id.startswith("_"):
            raise KeyError(id)
        return os.path.join(self.path, f"{id}.py")

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return stat_of_file(self._file(id), id)

    def value(self, id: Any) -> Any:  # docstring inherited
        path = self._file(id)
        return self.loaded_file(path, lambda file: _run(file.read(), path, id), "a module of persist")


def _run(source: bytes, path: str, id: str) -> Any:
    """Run a module that replaces itself in `sys.modules` by its one item."""
    name = f"_persist_{next(_numbers)}.{id}"
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = path
    try:
        exec(compile(source, path, "exec"), vars(module))  # noqa: S102  (the file was checked)
        made: Any = sys.modules[name]
    finally:
        del sys.modules[name]
    return getattr(module, id) if made is module else made


class PycabooseReader(ForeignReader):
    """The values that pycaboose has left in a script."""

    def __init__(self, path: Any, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        if not os.path.isfile(self.path):
            raise StoreNotFoundError(2, "it is no script", self.path)
        with open(self.path, "rb") as file:
            program = file.read()
        self._about = stat_of_file(self.path, self.path)._replace(size=None)
        self._digest = blake2b(program, digest_size=16).hexdigest()
        self._values = values_in(program, self.path, trust=trust)[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def stat(self, id: Any) -> Stat:  # docstring inherited
        if id not in self._values:
            raise KeyError(id)
        return self._about._replace(etag=self._digest)

    def value(self, id: Any) -> Any:  # docstring inherited
        return self._values[id]
