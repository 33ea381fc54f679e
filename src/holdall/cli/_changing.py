"""``holdall put`` and ``rm``: store and delete values."""

import argparse
import ast
from typing import Any

from holdall.abc import KeyedSerializer
from holdall.cli._opening import add_address, key_of, opened, selected
from holdall.cli._saying import standard_input
from holdall.errors import CorruptValueError, InvalidArgumentError
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._nested import StorePersister

_KINDS = ("auto", "json", "python", "text", "bytes")
_RAW = frozenset({"text", "bytes"})


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    about = "store a value"
    one = commands.add_parser(
        "put",
        help=about,
        description="Store a value. It is text or bytes as they are where the store keeps such, else JSON.",
    )
    add_address(one)
    one.add_argument("key", metavar="KEY", help="the key; '!1' is the number, \"!('x', 1)\" a tuple")
    one.add_argument(
        "value", metavar="VALUE", nargs="?", help="the value; none, or -, for the standard input"
    )
    one.add_argument(
        "--as", dest="kind", choices=_KINDS, default="auto", help="what VALUE is (default: auto)"
    )
    one.set_defaults(run=_put)

    about = "delete items"
    one = commands.add_parser("rm", help=about, description="Delete items: all that are named, or none.")
    add_address(one)
    one.add_argument("keys", metavar="KEY", nargs="+", help="a key, or a pattern with *, ? and [...]")
    one.set_defaults(run=_rm)


def _put(options: argparse.Namespace) -> int:
    key = key_of(options.key)
    data = _given(options.value)
    with opened(options.address, options, write=True, make=True, values=False) as store:
        kind = _kind_of(store, key) if options.kind == "auto" else options.kind
        store[key] = _value(data, kind)
    return 0


def _given(value: str | None) -> bytes:
    if value is None or value == "-":
        data: bytes = standard_input().buffer.read()
        return data
    return value.encode("utf-8", "surrogateescape")


def _kind_of(store: Store[Any, Any], key: Any) -> str:
    """Return the kind of values of a key: that of its serializer, or JSON where that takes any object."""
    serializer = store.pipeline.serializer
    if isinstance(serializer, KeyedSerializer):
        serializer = serializer.for_id(StorePersister(store).id_of(key))
    name = getattr(serializer, "name", "").partition(".")[0]  # such as 'text.gz'
    return name if name in _RAW else "json"


def _value(data: bytes, kind: str) -> Any:
    if kind == "bytes":
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"the value is no text in UTF-8 ({error}): say --as bytes") from error
    if kind == "text":
        return text
    if kind == "python":
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise InvalidArgumentError(f"the value is no Python literal: {text:.60}") from error
    try:
        return get_serializer("json").loads(data)
    except (CorruptValueError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"the value is no JSON ({error}): text needs quotes, as in '\"text\"', or --as text"
        ) from error


def _rm(options: argparse.Namespace) -> int:
    with opened(options.address, options, write=True, values=False) as store:
        for key in list(selected(store, options.keys)):
            store.discard(key)
    return 0
