"""A page whose code needs an optional package names the extra that brings it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What in a block shows that it needs an extra.
NEEDS = {
    "arrays": r"\bnumpy\b|\bh5py\b|[\"']npy[\"'\.]|[\"']npz[\"'\.]|hdf5|Npy\w+\(|Hdf5\w+\(",
    "parquet": r"\bpandas\b|[\"'](parquet|feather|pandas-csv)[\"'\.]|Parquet\w+\(",
    "yaml": r"[\"']yaml[\"'\.]|\.ya?ml[\"']|YamlSerializer\(",
    "toml": r"\.toml\"\)\n|[\"']toml[\"'\.]|TomlSerializer\(",
    "xlsx": r"\bopenpyxl\b|\.xlsx[\"']|[\"']xlsx[\"'\.]",
    "msgpack": r"[\"']msgpack[\"'\.]|MsgpackSerializer\(",
    "cbor": r"[\"']cbor[\"'\.]|CborSerializer\(",
    "orjson": r"[\"']orjson[\"'\.]|OrjsonSerializer\(",
    "images": r"\bPIL\b|ImageSerializer\(",
    "audio": r"\bsoundfile\b|AudioSerializer\(",
    "zstd": r"\.zst[\"'\.]|ZstdSerializer\(",
    "lz4": r"\.lz4[\"'\.]|Lz4Serializer\(",
    "crypto": r"aesgcm|fernet|AesGcm\w+\(|Fernet\w*\(",
    "lmdb": r"\bLmdbStore\(|\blmdb\.",
    "redis": r"\bRedisStore\(",
    "mongo": r"\bMongoStore\(",
    "sql": r"\bSQL(Store|Rows|Tables)\(",
    "s3": r"\bS3(Store|Persister)\(",
    "fsspec": r"\bFsspecStore\(",
    "obstore": r"\bobstore\b",
    "plot": r"\bmatplotlib\b|holdall\.memo\.plot|\bplot\(",
    "testing": r"holdall\.testing",
}


def _said(text):
    """Return the extras that a page names, as `holdall[a,b]` or in words."""
    groups = re.findall(r"holdall\[([\w,]+)\]", text)
    return {name for group in groups for name in group.split(",")} | set(re.findall(r"extra `(\w+)`", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_says_which_extras_its_code_needs(page):
    text = page.read_text(encoding="utf-8")
    code = "\n".join(FENCE.findall(text))
    needed = {extra for extra, sign in NEEDS.items() if re.search(sign, code)}
    assert needed - _said(text) == set()


def test_every_extra_has_its_sign():
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert extras - {"all", "cli"} == set(NEEDS)  # the command is shown in consoles, not in blocks of Python
