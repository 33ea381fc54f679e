"""``holdall memo ADDRESS ...``: list and drop the results of memoized functions."""

import argparse
import os
from typing import Any

from holdall.cli._opening import UsageError, add_address, opened, printable
from holdall.cli._saying import json_time, say, say_json, shown_time


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    memo = commands.add_parser(
        "memo",
        help="results of memoized functions",
        description="Look at the results of memoized functions, and drop those of old versions.",
    )
    add_address(memo, "place", "PLACE", "what memoize was given")
    verbs = memo.add_subparsers(required=True, metavar="VERB")
    about = "show functions and versions, how many results, bytes, and when the last was computed"
    one = verbs.add_parser("list", help=about, description=about)
    one.add_argument("--json", action="store_true", help="as lines of JSON")
    one.set_defaults(run=_list)
    about = "delete the results of functions and versions"
    one = verbs.add_parser("drop", help=about, description=about)
    one.add_argument("--function", metavar="NAME", help="of this function only")
    one.add_argument("--version", metavar="VERSION", help="of this version only")
    one.add_argument(
        "--outdated", action="store_true", help="of all versions but the one of each function written to last"
    )
    one.set_defaults(run=_drop)


def _existing(options: argparse.Namespace) -> Any:
    place = options.place
    return place if os.path.exists(place) else opened(place, options, write=True, values=False)


def _list(options: argparse.Namespace) -> int:
    from holdall.memo._inspecting import inspect  # noqa: PLC0415  (only for this command)

    for kept in inspect(_existing(options)):
        if options.json:
            say_json({**kept._asdict(), "first": json_time(kept.first), "last": json_time(kept.last)})
            continue
        size = "?" if kept.bytes is None else kept.bytes
        last = shown_time(kept.last)
        name = printable(f"{kept.function}  @{kept.version}")
        say(f"{name}  {kept.results} results  {size} bytes  {last}")
    return 0


def _drop(options: argparse.Namespace) -> int:
    from holdall.memo._inspecting import drop, inspect, outdated  # noqa: PLC0415

    function, version = options.function, options.version
    if function is None and version is None and not options.outdated:
        raise UsageError("say what to drop: --function NAME, --version VERSION or --outdated")
    place = _existing(options)
    old = {(kept.function, kept.version) for kept in outdated(inspect(place))} if options.outdated else None
    count = drop(
        place,
        lambda f, v: (
            function in {None, f, f.partition("/~")[0]}
            and version in {None, v}
            and (old is None or (f, v) in old)
        ),
    )
    say(f"{count} results dropped")
    return 0
