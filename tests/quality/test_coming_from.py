"""The page for those who come from other libraries has an answer for each of their names."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "coming-from.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))
# What a dict has is left out on the page, and so are names that are handled alike wherever they are.
OF_A_DICT = {*dir(dict), "close"}
CLASSES = {
    "shelve": ["shelve:Shelf"],
    "diskcache": ["diskcache:Cache"],
    "sqlitedict": ["sqlitedict:SqliteDict"],
    "joblib": ["joblib:Memory", "joblib.memory:MemorizedFunc"],
    "zict": ["zict:File", "zict:LMDB", "zict:LRU", "zict:Buffer", "zict:Sieve", "zict:Func", "zict:Cache"],
    "pycaboose": ["pycaboose:Value"],
}
# Of libraries that are too large for the tests, or that no Python of today runs: as of persidict 0.309, chest
# 0.2.3 and persist 3.2.1.
NOTED = {
    "persidict": (
        "append_only base_dir base_url clone delete_if_exists discard discard_if etag get_default_params "
        "get_item_if get_jsparams get_params get_subdict get_with_etag items_and_timestamps "
        "keys_and_timestamps newest_keys newest_values oldest_keys oldest_values random_key root_prefix "
        "set_item_if setdefault_if subdicts timestamp transform_item values_and_timestamps "
        "consistency_checks_attempted consistency_checks_failed consistency_checks_passed "
        "p_consistency_checks digest_len FileDirDict S3Dict BasicS3Dict S3Dict_FileDirCached LocalDict "
        "EmptyDict OverlappingMultiDict WriteOnceDict SafeStrTuple AppendOnlyDictCached "
        "MutableDictCached MutationPolicyError ConcurrencyConflictError BackendError"
    ),
    "chest": (
        "key_to_filename move_to_disk get_from_disk shrink drop write_keys flush update prefetch data path "
        "available_memory memory_usage dump load mode open open_many on_miss on_overflow inmem heap lock "
        "nbytes"
    ),
    "persist": (
        "data_name get_id get_persistent_rep insert make_persistent names save save_data scoped__str__ "
        "unique_name unscoped_str restore ArchiveError DuplicateError repr_ get_imports DataSet Archive"
    ),
    "py2store and dol": (
        "Files TextFiles JsonFiles PickleFiles LocalBinaryStore LocalTextStore LocalJsonStore "
        "LocalPickleStore QuickStore wrap_kvs filt_iter cached_keys appendable insert_aliases kv_walk "
        "path_get mk_read_only mk_cached_store mk_write_cached_store mk_relative_path_store "
        "ensure_clear_to_kv_store StrTupleDict FilesOfZip ZipReader DirReader lazyprop groupby"
    ),
}


def _names(section):
    if section in NOTED:
        return set(NOTED[section].split())
    names = set()
    for name in CLASSES[section]:
        module, _, kind = name.partition(":")
        names |= {name for name in dir(getattr(importlib.import_module(module), kind)) if name[0] != "_"}
    return names - OF_A_DICT


@pytest.mark.parametrize("section", [*CLASSES, *NOTED])
def test_every_name_has_its_row(section):
    rows = re.findall(r"^\| (.*?) \| ", SECTIONS[section], re.MULTILINE)
    told = set(re.findall(r"\w+", " ".join(span for row in rows for span in re.findall("`(.*?)`", row))))
    assert len(rows) > 3
    assert _names(section) - told == set()
