"""What the golden files hold: a change here needs new files, in a folder of the version that wrote them."""

import datetime as dt
import decimal
import importlib
from typing import Any

__all__ = ["exact", "keys", "serialized"]

LONG = "long text " * 300


def exact(value: Any) -> Any:
    """Return what tells a value from all others: types, bits of numbers, order, dtypes."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, dict):
        return name, [(exact(key), exact(item)) for key, item in value.items()]
    if kind in (list, tuple) and not _is_cyclic(value):
        return name, [exact(item) for item in value]
    if isinstance(value, set | frozenset):
        return name, sorted(map(repr, value))
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return name, str(value.dtype), value.shape, value.tobytes()
    if hasattr(value, "tobytes") and hasattr(value, "mode"):
        return name, value.mode, value.size, value.tobytes()
    if hasattr(value, "dtypes") and hasattr(value, "to_dict"):
        return name, [str(dtype) for dtype in value.dtypes], repr(value.index), repr(value.to_dict("list"))
    return name, repr(value)


def _is_cyclic(value: Any) -> bool:
    return "[...]" in repr(value)


def _frame() -> Any:
    pandas = importlib.import_module("pandas")
    return pandas.DataFrame({"x": [1, 2, 3], "y": [0.5, -0.0, 1e300], "name": ["a", "b,c", 'd"e']})


def _arrays() -> dict[str, Any]:
    numpy = importlib.import_module("numpy")
    return {
        "flat": numpy.arange(6, dtype="<i4"),
        "grid": numpy.linspace(0, 1, 6).reshape(2, 3),
        "text": numpy.array(["a", "bcd"]),
        "big-endian": numpy.arange(3, dtype=">u2"),
    }


def _plain() -> dict[str, Any]:
    return {
        "number": 3,
        "text": "käse, \N{SNOWMAN} and\nlines",
        "nested": {"list": [1, 2.5, None, True], "empty": {}, "table": {"a": "b"}},
        "folder/long": LONG[:200],
    }


def _picture() -> Any:
    image = importlib.import_module("PIL.Image")
    return image.frombytes("RGB", (2, 2), bytes(range(0, 120, 10)))


def serialized() -> dict[str, tuple[tuple[str, ...], Any]]:
    """Return the packages that each serializer needs, and a function that makes its values by key."""
    json = ((), _plain)
    everything = {
        "set": {1, 2},
        "when": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "exact": decimal.Decimal("0.10"),
        "raw": b"\0\xff",
        "tuple": (1, (2.5, frozenset({"x"}))),
    }
    table: dict[str, tuple[tuple[str, ...], Any]] = {
        "pickle": ((), lambda: {**_plain(), **everything}),
        "json": json,
        "line": ((), lambda: {**_plain(), **everything, "day": dt.date(2026, 1, 2)}),
        "text": ((), lambda: {"a.txt": "käse\r\nend", "empty": "", "sub/x": "y"}),
        "bytes": ((), lambda: {"a.bin": bytes(range(256)), "empty": b""}),
        "csv": ((), lambda: {"rows": [["a", "b c"], ["1", 'say "x"'], ["", "two\nlines"]]}),
        "ini": ((), lambda: {"settings": {"server": {"host": "example.org", "port": "80"}, "empty": {}}}),
        "wave": ((), _sound),
        "npy": (("numpy",), _arrays),
        "npz": (("numpy",), lambda: {"all": _arrays()}),
        "hdf5": (
            ("h5py",),
            lambda: {"all": {**_arrays(), "seed": 7, "deep": {"x/y": 1.5, "none": None, "t": "a"}}},
        ),
        "toml": (("tomli_w",), lambda: {"settings": {"x": [1.5, "a"], "server": {"port": 80, "on": True}}}),
        "yaml": (("yaml",), lambda: {"settings": {"server": {"port": 80, "on": True}, "x": [1.5, None]}}),
        "parquet": (("pyarrow",), lambda: {"frame": _frame()}),
        "feather": (("pyarrow",), lambda: {"frame": _frame()}),
        "pandas-csv": (("pandas",), lambda: {"frame": _frame()}),
        "xlsx": (("openpyxl",), lambda: {"book": {"Sheet": [["a", 1], [None, 2.5]]}}),
        "msgpack": (("msgpack",), lambda: {**_plain(), "raw": b"\0\xff"}),
        "cbor": (("cbor2",), lambda: {**_plain(), "raw": b"\0\xff"}),
        "orjson": (("orjson",), _plain),
        "image": (("PIL",), lambda: {"picture": _picture()}),
        "audio": (("soundfile",), lambda: {"sound": (_arrays()["flat"].astype("int16"), 8000)}),
    }
    for layer, package in {
        "gz": "", "bz2": "", "xz": "", "zst": "zstandard", "lz4": "lz4", "base64": "", "checksum": "",
        "hmac": "", "aesgcm": "cryptography", "fernet": "cryptography",
    }.items():  # fmt: skip
        table[f"json.{layer}"] = ((package,) if package else (), _plain)
    table["pickle.zst.hmac"] = (("zstandard",), lambda: {**_plain(), **everything})
    return table


def _sound() -> dict[str, Any]:
    from holdall.serializers import Sound

    return {"sound": Sound(b"\1\0\2\0\3\0\4\0", rate=8000, channels=2)}


def keys() -> dict[str, tuple[Any, list[Any]]]:
    """Return each kind of codec, and keys that it names."""
    from holdall.keys import AnyKeys, Digest, MappedKeys, PathKeys, Prefix, Suffix, Template

    hard = [
        "theme/dark",
        "a//b/",
        "../what?",
        "con.txt",
        " x. /y",
        "v.json/x",
        ".env",
        "e\u0301",
        "é",
        "100%",
    ]
    hard += ["x" * 300, "", "ä b", "\ud800", ".holdall", "a:b", "CON", "aux/nul", "tab\t", "\x7f"]
    literals = ["a/b", "!", 1, -1, True, 1.0, None, b"x\0", ("x",), (1, ("é'", "e'")), frozenset({2, 10})]
    literals += [float("inf"), 1j, (), 10**30, "", 1e-7, ((), (None,))]
    places = [("de", "Bonn", 2024), ("fr", "Aix", -1)]
    return {
        "text": (None, hard),
        "tuples": (tuple, [("a", "b"), ("a/b", "c"), ("", ""), ("..", "x"), ("one",)]),
        "fold_case": (PathKeys(fold_case=True), ["ReadMe", "readme", "Straße/X"]),
        "hidden": (PathKeys(hidden=True), [".env", ".a/b", "..", ".holdall"]),
        "encode": (PathKeys(encode="+ä"), ["a+b", "ä", "b"]),
        "any": (AnyKeys() | PathKeys(), literals),
        "prefix": (Prefix("run-") | PathKeys(), ["1", "a/b"]),
        "suffix": (Suffix(".part") | PathKeys(), ["1", "a/b"]),
        "template": ("{country}/{city}_{year:d}.json", places),
        "template-dict": (Template("{user}-{id:04d}.json", keys="dict"), [{"user": "ann", "id": 7}]),
        "template-date": ("{day:%Y-%m-%d}.json", [dt.date(2024, 2, 29), dt.date(1999, 12, 31)]),
        "template-float": ("v{v:06.2f}.json", [1.5, -2.25]),
        "mapped": (MappedKeys({"train": "data/v3.json", "test": "data/v1.json"}), ["train", "test"]),
        "digest": (Digest() | PathKeys(), ["a", ("b", 1), None]),
    }
