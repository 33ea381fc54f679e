"""``holdall export`` and ``import``: all items as lines of JSON; and data of other libraries."""

import argparse
import json
import math
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from holdall._schemes import FOREIGN
from holdall.abc.optional import OptionalVerbs
from holdall.addresses import resolve
from holdall.cli._opening import UsageError, add_address, key_of, opened, selected, shown_key, word_of
from holdall.cli._progress import progress
from holdall.cli._saying import as_json, say, standard_input
from holdall.errors import InvalidArgumentError, SerializationError, UnsupportedError
from holdall.serializers import get_serializer
from holdall.store._nested import StorePersister
from holdall.store._place import under


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    about = "write items as lines of JSON"
    one = commands.add_parser(
        "export",
        help=about,
        description='Write items as lines of JSON: {"key": ..., "value": ...}, or "base64" for bytes.',
    )
    add_address(one)
    one.add_argument(
        "keys", metavar="KEY", nargs="*", default=[], help="a key, or a pattern; all if none is given"
    )
    one.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="the file (default: standard output)"
    )
    one.set_defaults(run=_export)
    about = "store the items that `export` wrote, or that another library has left"
    one = commands.add_parser(
        "import",
        help=about,
        description="Store the items of a file that `export` wrote: all of them, or none. Or copy what "
        "another library has left, with the times of the items where both sides know them.",
    )
    add_address(one)
    one.add_argument("source", metavar="SOURCE", help="a file, - for standard input, or shelve:shelf")
    one.add_argument("--from", dest="library", choices=sorted(FOREIGN), help="what has written SOURCE")
    one.set_defaults(run=_import)


def _export(options: argparse.Namespace) -> int:
    with opened(options.address, options) as store:
        place = StorePersister(store)
        keys = selected(store, options.keys)
        with open(options.output, "w", encoding="utf-8") if options.output != "-" else nullcontext() as file:
            for key in keys:
                value, stat = place.read(key)
                line = _line(key, value, stat.mtime)
                if file is None:
                    say(line)
                else:
                    file.write(line + "\n")
    return 0


def _line(key: Any, value: Any, mtime: float) -> str:
    time = "" if math.isnan(mtime) else f', "time": {mtime!r}'
    try:
        if isinstance(value, bytes):
            shown = f'"base64": "{b64encode(value).decode()}"'
        else:
            shown = f'"value": {as_json(value)}'
    except SerializationError as error:
        raise UnsupportedError(
            f"{shown_key(key)}: the value is no JSON ({error}): copy it to another store by `holdall cp`"
        ) from error
    return f'{{"key": {json.dumps(word_of(key))}{time}, {shown}}}'


def _import(options: argparse.Namespace) -> int:
    source = options.source
    if options.library is not None:
        source = f"{options.library}:{source.removeprefix(options.library + ':')}"
    if source != "-" and resolve(source).scheme in FOREIGN:
        count = _copied(source, options)
    else:
        count = _stored(source, options)
    say(f"{count} items")
    return 0


def _copied(source: str, options: argparse.Namespace) -> int:
    with (
        opened(source, options) as old,
        opened(options.address, options, write=True, make=True, values=False) as new,
        progress("importing", lambda: len(old)) as tell,
    ):
        # Most stores set times only by themselves.
        takes_times = type(under(new)[0]).write_dated is not OptionalVerbs.write_dated
        return old.copy_to(new, progress=tell, keep_times=takes_times)


def _stored(source: str, options: argparse.Namespace) -> int:
    if source == "-":
        items = dict(_items(standard_input().buffer, "the standard input"))
    else:
        with open(source, "rb") as file:
            items = dict(_items(file, source))
    with opened(options.address, options, write=True, make=True, values=False) as store:
        store.update(items)
    return len(items)


def _items(file: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Yield items, after all of them were read."""
    loads = get_serializer("json").loads
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            item = loads(line)
            key = key_of(item["key"])
            value = b64decode(item["base64"], validate=True) if "base64" in item else item["value"]
        except (SerializationError, UsageError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidArgumentError(
                f'line {number} of {name} is no item ({error}): it should be {{"key": ..., "value": ...}}'
            ) from error
        yield key, value
