"""``holdall check`` and ``compact``: maintenance of a store."""

import argparse
from typing import Any

from holdall.cli._opening import add_address, opened, shown_key
from holdall.cli._saying import say
from holdall.errors import HoldallError, StoreUnavailableError, UnsupportedError, UntrustedStoreError


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    about = "read all values, and say which cannot be read; and what the store finds itself"
    one = commands.add_parser("check", help=about, description=about.capitalize() + ".")
    add_address(one)
    one.set_defaults(run=_check)
    about = "give back the room of what was deleted (SQLite files and scripts)"
    one = commands.add_parser("compact", help=about, description=about.capitalize() + ".")
    add_address(one)
    one.set_defaults(run=_compact)


def _check(options: argparse.Namespace) -> int:
    with opened(options.address, options) as store:
        look: Any = getattr(store, "check", list)  # SQLite files and scripts have checks of their own
        faults = list(look())
        for key in store:
            try:
                store.get(key)
            except (UntrustedStoreError, StoreUnavailableError):
                raise
            except HoldallError as error:
                faults.append(f"{shown_key(key)}: {' '.join(str(error).split())}")
    for fault in faults:
        say(fault)
    return 1 if faults else 0


def _compact(options: argparse.Namespace) -> int:
    with opened(options.address, options, write=True, values=False) as store:
        compact: Any = getattr(store, "vacuum", None) or getattr(store, "compact", None)
        if compact is None:
            raise UnsupportedError(f"{options.address}: there is nothing to compact in such a store")
        say(f"{compact()} bytes less")
    return 0
