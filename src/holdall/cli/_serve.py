"""``holdall serve``: a page over a store, for a browser on this machine."""

import argparse
from typing import Any

from holdall.cli._opening import UsageError, add_address, opened
from holdall.cli._saying import say, standard_output


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    one = commands.add_parser(
        "serve",
        help="show a store in a browser on this machine",
        description="Show keys and values in a browser on this machine, until Ctrl-C. "
        "Nothing can be changed. Who knows the URL that is printed can read, and nobody else.",
    )
    add_address(one)
    one.add_argument(
        "--port", type=int, default=0, help="the port on 127.0.0.1; any free one if none is given"
    )
    one.set_defaults(run=_serve)


def _served(store: Any, port: int) -> Any:
    from holdall.serve import ViewServer  # noqa: PLC0415  (only for this command)

    try:
        return ViewServer(store, port=port)
    except OSError as error:
        raise OSError(error.errno, f"port {port} of this machine cannot be used: {error.strerror}") from error


def _serve(options: argparse.Namespace) -> int:
    if not 0 <= options.port < 65536:
        raise UsageError(f"a port is a number from 0 to 65535, got {options.port}")
    with opened(options.address, options) as store, _served(store, options.port) as server:
        say(server.url)
        standard_output().flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # the usual end
            return 0
    return 0
