"""``holdall check`` and ``compact``: maintenance of a store."""

import argparse
from typing import Any

from holdall.cli._opening import add_address, opened, shown_key, word_of
from holdall.cli._saying import say, say_json
from holdall.errors import HoldallError, StoreUnavailableError, UnsupportedError, UntrustedStoreError


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    about = "read all values, and say which cannot be read; and what the store finds itself"
    one = commands.add_parser("check", help=about, description=about.capitalize() + ".")
    add_address(one)
    one.add_argument("--json", action="store_true", help="write a line of JSON for each fault")
    one.set_defaults(run=_check)
    about = "give back the room of what was deleted (SQLite files and scripts)"
    one = commands.add_parser("compact", help=about, description=about.capitalize() + ".")
    add_address(one)
    one.set_defaults(run=_compact)


def _check(options: argparse.Namespace) -> int:
    with opened(options.address, options) as store:
        look: Any = getattr(store, "check", list)  # SQLite files and scripts have checks of their own
        faults: list[tuple[str | None, str, str]] = [(None, fault, fault) for fault in look()]
        for key in store:
            try:
                store.get(key)
            except (UntrustedStoreError, StoreUnavailableError):
                raise
            except HoldallError as error:
                said = " ".join(str(error).split())
                faults.append((word_of(key), said, f"{shown_key(key)}: {said}"))
    for word, fault, line in faults:
        if options.json:
            say_json({"key": word, "fault": fault})
        else:
            say(line)
    return 1 if faults else 0


def _compact(options: argparse.Namespace) -> int:
    with opened(options.address, options, write=True, values=False) as store:
        compact: Any = getattr(store, "vacuum", None) or getattr(store, "compact", None)
        if compact is None:
            raise UnsupportedError(f"{options.address}: there is nothing to compact in such a store")
        say(f"{compact()} bytes less")
    return 0
