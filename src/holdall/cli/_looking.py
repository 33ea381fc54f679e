"""``holdall ls``, ``get``, ``stat`` and ``du``: the content of a store."""

import argparse
import math
import time
from collections import Counter
from typing import Any

from holdall.cli._histogram import Histogram, ages, sizes
from holdall.cli._opening import add_address, is_pattern, opened, printable, selected, shown_key, word_of
from holdall.cli._saying import as_json, json_time, say, say_json, say_value, shown_time
from holdall.conditional import Stat
from holdall.errors import SerializationError, UnsupportedError
from holdall.store._nested import StorePersister

_KEYS = "a key, or a pattern with *, ? and [...]"


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    about = "list keys, one a line"
    one = commands.add_parser("ls", help=about, description=about)
    add_address(one)
    one.add_argument("keys", metavar="KEY", nargs="*", default=[], help=f"{_KEYS}; all if none is given")
    one.add_argument("-l", "--long", action="store_true", help="show bytes and time of each, too")
    one.add_argument("--json", action="store_true", help="write a line of JSON for each")
    one.set_defaults(run=_ls)

    about = "show values"
    one = commands.add_parser(
        "get",
        help=about,
        description="Show the value of a key: text and bytes as they are, others as JSON if they can be, "
        "else as Python shows them. Several keys, or a pattern, give a line of JSON for each.",
    )
    add_address(one)
    one.add_argument("keys", metavar="KEY", nargs="+", help=_KEYS)
    one.add_argument("--json", action="store_true", help="show JSON, and nothing that is none")
    one.set_defaults(run=_get)

    about = "show what is known of a store, or of some of its items"
    one = commands.add_parser("stat", help=about, description=about)
    add_address(one)
    one.add_argument("keys", metavar="KEY", nargs="*", default=[], help=_KEYS)
    one.add_argument("--json", action="store_true", help="write lines of JSON")
    one.set_defaults(run=_stat)

    about = "add up the bytes of values, by the first part of their keys"
    one = commands.add_parser("du", help=about, description=about)
    add_address(one)
    one.add_argument("--json", action="store_true", help="write lines of JSON")
    one.set_defaults(run=_du)


def _ls(options: argparse.Namespace) -> int:
    with opened(options.address, options, values=False) as store:
        place = StorePersister(store)
        if options.long and not options.keys:
            for key, stat in place.scan():
                _say_long(key, stat, as_json=options.json)
            return 0
        for key in selected(store, options.keys):
            if options.long:
                _say_long(key, place.stat(key), as_json=options.json)
            elif options.json:
                say_json({"key": word_of(key)})
            else:
                say(shown_key(key))
    return 0


def _say_long(key: Any, stat: Stat, *, as_json: bool) -> None:
    if as_json:
        say_json({"key": word_of(key), "bytes": stat.size, "time": json_time(stat.mtime)})
    else:
        size = "-" if stat.size is None else stat.size
        say(f"{size:>12}  {shown_time(stat.mtime):<19}  {shown_key(key)}")


def _get(options: argparse.Namespace) -> int:
    with opened(options.address, options) as store:
        keys = list(selected(store, options.keys))
        if len(options.keys) == 1 and (
            options.keys[0] == word_of(keys[0]) or not is_pattern(options.keys[0])
        ):
            say_value(store[keys[0]], strict=options.json)
            return 0
        for key in keys:
            found = store[key]
            try:
                value = as_json(found)
            except SerializationError as error:
                raise UnsupportedError(
                    f"{shown_key(key)}: several values are shown as JSON, and it is none ({error})"
                ) from error
            say(f'{{"key": {as_json(word_of(key))}, "value": {value}}}')
    return 0


def _stat(options: argparse.Namespace) -> int:
    with opened(options.address, options, values=False) as store:
        if options.keys:
            place = StorePersister(store)
            for key in selected(store, options.keys):
                stat = place.stat(key)
                about = {"key": word_of(key), "bytes": stat.size, "etag": stat.etag}
                _say_facts({**about, "time": json_time(stat.mtime)}, as_json=options.json)
            return 0
        _say_facts(_facts(store), as_json=options.json)
    return 0


def _facts(store: Any) -> dict[str, Any]:
    """Return the facts about a store, from one listing."""
    items, size, unknown, times = 0, 0, 0, [math.inf, -math.inf]
    by_size, by_age, now = sizes(), ages(), time.time()
    for _, stat in StorePersister(store).scan():
        items += 1
        size += stat.size or 0
        unknown += stat.size is None
        if stat.size is not None:
            by_size.add(stat.size)
        if not math.isnan(stat.mtime):
            times = [min(times[0], stat.mtime), max(times[1], stat.mtime)]
            by_age.add(now - stat.mtime)
    known = math.isfinite(times[0])
    return {
        "store": type(store).__name__,
        "location": store.pipeline.persister.place,
        "serializer": getattr(store.pipeline.serializer, "name", None),
        "keys": repr(store.pipeline.keys),
        "items": items,
        "bytes": None if unknown else size,
        "oldest": times[0] if known else None,
        "newest": times[1] if known else None,
        "sizes": by_size,
        "ages": by_age,
    }


def _say_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(
            {name: fact.classes() if isinstance(fact, Histogram) else fact for name, fact in facts.items()}
        )
        return
    for name, fact in facts.items():
        if isinstance(fact, Histogram):
            lines = fact.lines()
            if lines:
                say("\n".join((f"{name}:", *lines)))
        elif name in {"oldest", "newest", "time"} and fact is not None:
            say(f"{name + ':':<12}{shown_time(fact)}")
        elif name == "key":
            say(printable(fact))
        else:
            say(f"{name + ':':<12}{'-' if fact is None else fact}")


def _du(options: argparse.Namespace) -> int:
    sizes: Counter[Any] = Counter()
    counts: Counter[Any] = Counter()
    with opened(options.address, options, values=False) as store:
        for key, stat in StorePersister(store).scan():
            if stat.size is None:
                raise UnsupportedError(f"{options.address}: its values have no size in bytes")
            first = key.partition("/")[0] if isinstance(key, str) else key[0] if _parts(key) else key
            sizes[first] += stat.size
            counts[first] += 1
    for first, size in sorted(sizes.items(), key=lambda pair: -pair[1]):
        _say_size(word_of(first), size, counts[first], as_json=options.json)
    _say_size(None, sizes.total(), counts.total(), as_json=options.json)
    return 0


def _parts(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) > 0


def _say_size(name: str | None, size: int, items: int, *, as_json: bool) -> None:
    if as_json:
        say_json({"key": name, "bytes": size, "items": items})
    else:
        shown = "total" if name is None else printable(name)
        say(f"{size:>12}  {items:>8} items  {shown}")
