"""Compare what holdall reads with what the reference reader of each format reads, on files of this machine.

``python tests/corpus/survey.py [FOLDER ...]`` looks at the installed packages and the configuration of the
system, or at these folders. It reports files that are not read as the reference reads them, and documents in
which a write changes more than its own lines; there are none if it returns 0.
"""

import configparser
import csv
import gzip
import io
import itertools
import json
import math
import os
import re
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import wave
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from holdall import ZipStore
from holdall.keys import Suffix
from holdall.serializers import IniSerializer, get_serializer
from holdall.stores.document import DocumentStore
from holdall.stores.tar import TarStore

FOLDERS = [
    sysconfig.get_paths()["purelib"],
    sysconfig.get_paths()["stdlib"],
    "/etc",
    "/usr/share",
    "/lib/systemd",
]
LARGEST = 300_000  # bytes of a file
MOST = 300  # files of a format
UNITS = IniSerializer(repeated=True)


def csv_rows(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def options(data):
    parser = configparser.RawConfigParser(default_section="", allow_no_value=True)
    parser.optionxform = str
    parser.read_string(data.decode("utf-8-sig"))
    return {section: dict(parser.items(section)) for section in parser.sections()}


def unit(data):
    """Read options that occur twice, as `UNITS` does, by one parser for each line."""
    values: dict[str, dict[str, list[Any]]] = {}
    numbered = itertools.count()
    parser = configparser.RawConfigParser(default_section="", allow_no_value=True, strict=False)
    parser.optionxform = lambda option: f"{option}\0{next(numbered)}"
    parser.read_string(data.decode("utf-8-sig"))
    for section in parser.sections():
        for option, value in parser.items(section):
            values.setdefault(section, {}).setdefault(option.partition("\0")[0], []).append(value)
        values.setdefault(section, {})
    return {
        section: {option: several if several[1:] else several[0] for option, several in table.items()}
        for section, table in values.items()
    }


def zip_members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def tar_members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [member for member in archive.getmembers() if member.isfile() or member.islnk()]
        return {member.name.removeprefix("./"): archive.extractfile(member).read() for member in members}


def array(data):
    return np.load(io.BytesIO(data), allow_pickle=False)


def points(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.mode, image.size, image.tobytes()


def sound(data):
    with wave.open(io.BytesIO(data)) as file:
        return (
            file.readframes(file.getnframes()),
            file.getframerate(),
            file.getnchannels(),
            file.getsampwidth(),
        )


def plain_text(data):
    return data.decode("utf-8-sig")


def loads(name):
    return get_serializer(name).loads


def our_points(data):
    image = get_serializer("image").loads(data)
    return image.mode, image.size, image.tobytes()


def our_members(cls):
    """Return a reader of archives, to which names that are told to be left out are no difference."""

    def read(data):
        store = cls(data, serializer="bytes", keys=Suffix(""))
        told = (zip_members if cls is ZipStore else tar_members)(data) if store.left_out else {}
        return {**dict(store), **{name: told[name] for name in store.left_out if name in told}}

    return read


# By suffix: the reference reader, ours, and the serializer of a document that can be changed.
READERS = {
    ".json": (lambda data: json.loads(data.decode("utf-8-sig")), loads("json"), "json"),
    ".csv": (csv_rows, loads("csv"), None),
    ".ini": (options, loads("ini"), "ini"),
    ".cfg": (options, loads("ini"), "ini"),
    ".conf": (options, loads("ini"), "ini"),
    ".desktop": (options, loads("ini"), "ini"),
    ".service": (unit, UNITS.loads, UNITS),
    ".toml": (lambda data: tomllib.loads(data.decode("utf-8-sig")), loads("toml"), "toml"),
    ".yaml": (yaml.safe_load, loads("yaml"), "yaml"),
    ".yml": (yaml.safe_load, loads("yaml"), "yaml"),
    ".txt": (plain_text, loads("text"), None),
    ".gz": (gzip.decompress, loads("bytes.gz"), None),
    ".zip": (zip_members, our_members(ZipStore), None),
    ".whl": (zip_members, our_members(ZipStore), None),
    ".jar": (zip_members, our_members(ZipStore), None),
    ".tar": (tar_members, our_members(TarStore), None),
    ".tgz": (tar_members, our_members(TarStore), None),
    ".npy": (array, loads("npy"), None),
    ".png": (points, our_points, None),
    ".gif": (points, our_points, None),
    ".jpg": (points, our_points, None),
    ".wav": (sound, lambda data: tuple(loads("wave")(data)), None),
}


def alike(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes() and one.shape == other.shape
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def attempt(reader, data):
    try:
        return reader(data), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def judge(path, data):
    """Return a word for the statistics, and what is wrong or None."""
    reference, ours, document = READERS[path.suffix.lower()]
    wanted, refused = attempt(reference, data)
    found, error = attempt(ours, data)
    if refused or error:
        if refused and error:
            return "unreadable", None
        return ("refused", error) if error else ("read", f"the reference says {refused}")
    if not alike(wanted, found):
        return "different", "not what the reference reads"
    if document is not None and isinstance(found, dict):
        wrong = change(path, data, document)
        if wrong:
            return "rewritten", wrong
    return "same", None


def change(path, data, document):
    """Change one value and delete another in a copy of a document; tell if more has changed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(data)
        store = DocumentStore(copy, serializer=document, keys=tuple)
        before = dict(store)
        if not before:
            return None
        keys = list(before)
        key, gone = keys[len(keys) // 2], keys[len(keys) // 3]
        store[key] = before[key] = "changed"
        shared = re.search(rb"[:-]\s+\*\w", data) is not None  # by aliases: each gets lines of its own
        lines, new = Counter(data.splitlines()), Counter(copy.read_bytes().splitlines())
        if not alike(dict(store), before):
            return f"writing {key} changes other values"
        if sum((new - lines).values()) > 1 and not shared:
            return f"writing {key} changes {sum((new - lines).values())} lines"
        del store[gone], before[gone]
        if not alike(dict(store), before):
            return f"deleting {gone} changes other values"
        if sum((Counter(copy.read_bytes().splitlines()) - new).values()) > 1 and not shared:
            return f"deleting {gone} changes other lines"
    return None


def files(folders):
    """Give files with a known suffix: the same ones each time, of many folders."""
    known: dict[str, list[Path]] = {}
    for folder in folders:
        for above, _, names in os.walk(folder):
            for name in names:
                path = Path(above, name)
                if path.suffix.lower() in READERS and path.is_file() and path.stat().st_size <= LARGEST:
                    known.setdefault(path.suffix.lower(), []).append(path)
    for suffix in sorted(known):
        found = sorted(known[suffix])
        yield from found[:: max(1, len(found) // MOST)]


def main(folders):
    found: dict[str, Counter[str]] = {}
    wrong = 0
    for path in files(folders or FOLDERS):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        try:
            word, what = judge(path, data)
        except Exception as error:
            word, what = "failed", f"{type(error).__name__}: {error}"
        found.setdefault(path.suffix.lower(), Counter())[word] += 1
        if what is not None:
            wrong += 1
            print(f"{word}: {path}: {what:.300}")
    for suffix, counts in found.items():
        print(f"{suffix:10}", ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
