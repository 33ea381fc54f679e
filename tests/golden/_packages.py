"""Archives, documents, scripts, importable packages, results and exports."""

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from golden._case import CASES, Items, case, stored
from golden._stores import LITERALS
from golden._values import LONG, keys, serialized
from holdall import Archive, ArchiveStore, DataSet, FileDirStore, ScriptStore, ZipStore, memoize
from holdall.archive import load
from holdall.cli import main
from holdall.stores.document import DocumentStore

__all__ = ["imported"]

# ---------------------------------------------------------------------- archives, documents, scripts

stored(
    "zip", lambda folder: ZipStore(folder / "data.zip", serializer="json"), serialized()["json"][1]().items()
)
stored(
    "zip-any",
    lambda folder: ZipStore(folder / "data.zip", serializer="json", keys=keys()["any"][0]),
    LITERALS[:4],
)

_DOCUMENTS = {
    ".ini": "; kept\n[server]\nhost = old ; no comment\n",
    ".toml": "# kept\ntitle = 'x'\n[server]\nhost = 'old' # kept\nports = [1, 2]\n",
    ".json": '{"server": {"host": "old", "number": 1e400}}',
    ".yaml": "# kept\nserver: &all\n  host: old # kept\nother: *all\n",
}
_DOCUMENT_ITEMS: dict[str, Items] = {
    ".ini": [("server/host", "new"), ("server/port", "80")],
    ".toml": [("title", "x"), ("server/host", "new"), ("server/ports", [1, 2]), ("server/port", 80)],
    ".json": [("server/host", "new"), ("server/port", 80)],
    ".yaml": [("server/host", "new"), ("other/host", "old"), ("server/port", 80)],
}
_DOCUMENTS[".json"] = '{"server": {"host": "old"}}'
for _name, _text in _DOCUMENTS.items():

    @case(f"document/{_name[1:]}", _DOCUMENT_ITEMS[_name], needs=("yaml", "tomlkit"))
    class _Document:
        @staticmethod
        def write(folder: Path, name: str = f"settings{_name}", text: str = _text) -> None:
            path = folder / name
            path.write_text(text)
            with closing(DocumentStore(path)) as store:
                store["server/host"] = "new"
                store["server/port"] = "80" if name.endswith("ini") else 80

        @staticmethod
        def read(folder: Path, name: str = f"settings{_name}") -> Any:
            return closing(DocumentStore(folder / name))


@case("script", [("count", 3), (("x", 1), {"é"}), ("raw", b"\0\xff"), ("a/b", {"list": [1.5, None]})])
class _Script:
    @staticmethod
    def write(folder: Path) -> None:
        path = folder / "script.py"
        path.write_text("print('hello')\n")
        with closing(ScriptStore(path)) as store:
            store.update({"count": 1, "gone": 1, "raw": b""})
            del store["gone"]
            store.compact()
            store.update(dict(CASES["script"].items()))
            store["later"] = 1
            del store["later"]

    @staticmethod
    def read(folder: Path) -> Any:
        return closing(ScriptStore(folder / "script.py"))


@case("value", [("runs", "3 ['2', '3'] 2026-01-02")])
class _Value:
    text = (
        "import datetime\nimport holdall\n\nruns = holdall.Value(0)\nlog = holdall.Value([])\n"
        "day = holdall.Value(datetime.date(2026, 1, 1))\nruns.value += 1\n"
        "log.value = [*log.value, str(runs.value)][-2:]\n"
        "if runs.value == 1:\n    day.value = datetime.date(2026, 1, 2)\n"
        "print(runs.value, log.value, day.value)\n"
    )

    @classmethod
    def write(cls, folder: Path) -> None:
        (folder / "script.py").write_text(cls.text)
        cls.run(folder)
        cls.run(folder)

    @classmethod
    @contextlib.contextmanager
    def read(cls, folder: Path) -> Iterator[Any]:
        yield {"runs": cls.run(folder)}

    @staticmethod
    def run(folder: Path) -> str:
        run = subprocess.run(
            [sys.executable, folder / "script.py"], capture_output=True, text=True, check=False
        )
        return run.stdout.strip() or run.stderr


# ---------------------------------------------------------------------- importable packages


def _archived() -> Items:
    numpy = importlib.import_module("numpy")
    shared = [1, 2.5, None]
    cycle: list[Any] = [1]
    cycle.append(cycle)
    large = numpy.arange(1200, dtype="<i2")
    return [
        ("shared", [shared, shared]),
        ("cycle", cycle),
        ("text", {"käse": (b"\0", {1, 2})}),
        ("large", large),
    ]


@contextlib.contextmanager
def imported(folder: Path, name: str) -> Iterator[Any]:
    """Import a package of a folder, and forget it."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for module in [module for module in sys.modules if module.split(".")[0] == name]:
            del sys.modules[module]


for _format, _package in {"npy": True, "npz": True, "hdf5": False}.items():
    _wants = ("numpy", "h5py") if _format == "hdf5" else ("numpy",)

    class _Archived:
        @staticmethod
        def write(folder: Path, format: str = _format, package: bool = _package) -> None:
            archive = Archive(data_format=format)
            archive.insert(**dict(_archived()))
            archive.save(folder, "golden_archive", package=package)

        @staticmethod
        @contextlib.contextmanager
        def read(folder: Path) -> Iterator[Any]:
            with imported(folder, "golden_archive") as module:
                yield {name: getattr(module, name) for name in module.__all__}

    class _Loaded(_Archived):
        @staticmethod
        @contextlib.contextmanager
        def read(folder: Path, package: bool = _package) -> Iterator[Any]:
            yield load(folder / ("golden_archive" if package else "golden_archive.py"))

    case(f"archive/{_format}", _archived, _wants)(_Archived)
    case(f"archive/{_format} loaded", _archived, _wants, of=f"archive/{_format}")(_Loaded)


_DATA = [("plain", {"a": [1, 2]}), ("run", "text"), ("gone_and_back", (1, 2))]


@case("dataset", lambda: [*_DATA, *[pair for pair in _archived() if pair[0] == "large"]], ("numpy",))
class _DataSet:
    @classmethod
    def write(cls, folder: Path) -> None:
        with DataSet("golden_data", "w", path=folder) as data:
            data.gone_and_back = 1
            del data.gone_and_back
            for name, value in CASES["dataset"].items():
                setattr(data, name, value)
                data[name] = {"about": name, "tuple": (1,)} if name == "run" else {"about": name}

    @staticmethod
    @contextlib.contextmanager
    def read(folder: Path) -> Iterator[Any]:
        with DataSet("golden_data", "r", path=folder) as data:
            assert data["run"] == {"about": "run", "tuple": (1,)}
            assert data["plain"] == {"about": "plain"}
            yield {name: getattr(data, name) for name in data}


@case("dataset imported", CASES["dataset"].items, ("numpy",), of="dataset")
class _ImportedDataSet(_DataSet):
    @staticmethod
    @contextlib.contextmanager
    def read(folder: Path) -> Iterator[Any]:
        with imported(folder, "golden_data") as package:
            names = package._info_dict
            assert names["run"] == {"about": "run", "tuple": (1,)}
            yield {name: importlib.import_module(f"golden_data.{name}") for name in names}


stored(
    "archive_store",
    lambda folder: ArchiveStore(folder / "golden_store"),
    [("plain", [1, (2,)]), ("runs/7", {"a": None}), ("class", "x"), ("y" * 130, 1.5)],
)


# ---------------------------------------------------------------------- results, exports


def _calls() -> Items:
    calls = [(1,), (1.5, "a"), ([1, {"b": (2, None)}],), ({"x": frozenset({1})}, b"\0"), (10**30, True)]
    return [(call, [repr(call), len(call)]) for call in calls]


class _Results(Mapping[Any, Any]):
    """Results by arguments; nothing is computed."""

    def __init__(self, place: Any, *, compute: bool, **options: Any) -> None:
        def function(*args: Any) -> Any:
            assert compute, f"no result of {args} is found"
            return [repr(args), len(args)]

        self._function = memoize(place, name="golden.function", version="1", **options)(function)

    def __getitem__(self, call: Any) -> Any:
        return self._function(*call)

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    __len__ = None


for _name, _place, _options in (
    ("memo/folder", "results", {}),
    ("memo/timed", "results", {"ttl": 1e10, "max_age": 1e11}),
    ("memo/readable", "results", {"readable": True, "typed": True}),
):

    @case(_name, _calls, lists=False)
    class _Memo:
        @staticmethod
        def write(folder: Path, place: str = _place, options: Any = _options) -> None:
            results = _Results(folder / place, compute=True, **options)
            assert [results[call] for call, _ in _calls()] == [value for _, value in _calls()]
            results._function.store.close()

        @staticmethod
        @contextlib.contextmanager
        def read(folder: Path, place: str = _place, options: Any = _options) -> Iterator[Any]:
            results = _Results(folder / place, compute=False, **options)
            yield results
            results._function.store.close()


@case("export", [("a/b", {"x": [1, None]}), ("long", LONG[:100]), ("n", 2.5)])
class _Export:
    @staticmethod
    def write(folder: Path) -> None:
        with closing(FileDirStore(serializer="json")) as store:
            store.update(dict(CASES["export"].items()))
            assert main(["export", f"dir:{store.path}", "-o", str(folder / "items.jsonl")]) == 0

    @staticmethod
    @contextlib.contextmanager
    def read(folder: Path) -> Iterator[Any]:
        address = f"dir:{folder}/new?serializer=json"
        assert main(["import", address, str(folder / "items.jsonl")]) == 0
        with closing(FileDirStore(folder / "new")) as store:
            yield store
