"""``holdall script FILE ...``: list and change the values in a script."""

import argparse
import ast
import csv
import io
import json
import re
import sys
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from holdall.cli._opening import UsageError, key_of, printable
from holdall.cli._saying import (
    as_json,
    say,
    say_error,
    say_json,
    say_value,
    standard_input,
    standard_output,
)
from holdall.errors import (
    CorruptValueError,
    HoldallError,
    InvalidArgumentError,
)
from holdall.migrate._pycaboose import migrate
from holdall.persisters.script import ScriptPersister
from holdall.serializers.harmless import Harmless
from holdall.serializers.line import LineSerializer

_values = LineSerializer()
_HEADER = ["name", "value"]
_PICKLE = b"pickle "


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    script = commands.add_parser(
        "script",
        help="values that are kept at the end of a script",
        description="Look at the values that are kept at the end of a script, and change them.",
        epilog="NAME is as it is written in the script, without quotes: text, or '!' and a literal such as "
        "'!(1, 2)'. VALUE is JSON, else a Python literal, else text. Pickles are never loaded, but for those "
        "of numbers, text, and containers of such.",
    )
    script.add_argument(
        "file", metavar="FILE", type=lambda word: word.removeprefix("script:"), help="the script"
    )
    verbs = script.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=about)
        parser.set_defaults(run=run)
        return parser

    one = verb("list", _list, "show all names and values")
    one.add_argument("--json", action="store_true", help="write a line of JSON for each")
    one = verb("get", _get, "show a value, as JSON if it can be")
    one.add_argument("name", metavar="NAME")
    form = one.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_true", help="show text as it is, without quotes")
    form.add_argument("--json", action="store_true", help="show JSON, and nothing that is none")
    one = verb("set", _set, "store a value")
    one.add_argument("name", metavar="NAME")
    one.add_argument("value", metavar="VALUE")
    one.add_argument(
        "--as", dest="kind", choices=_KINDS, default="auto", help="what VALUE is (default: auto)"
    )
    one = verb("delete", _delete, "delete values")
    one.add_argument("names", metavar="NAME", nargs="+")
    one = verb("import", _import, "store the values of a CSV file with the columns name and value")
    one.add_argument("csv", metavar="CSV", help="the file, or - for the standard input")
    one.add_argument(
        "--as", dest="kind", choices=_KINDS, default="auto", help="what values are (default: auto)"
    )
    one.add_argument("--pickles", action="store_true", help="take pickles too: only from whom you trust")
    one = verb("export", _export, "write all values as CSV, as `import` reads it")
    one.add_argument("csv", metavar="CSV", nargs="?", default="-", help="the file (default: standard output)")
    verb("compact", _compact, "rewrite the data without what was replaced or deleted")
    one = verb("check", _check, "say which lines of the data are no records, or damaged")
    one.add_argument("--json", action="store_true", help="write a line of JSON for each")
    one = verb("migrate", _migrate, "take over the values that pycaboose has left in the script")
    one.add_argument(
        "--trust", action="store_true", help="load all pickles: that can run code of who wrote them"
    )
    one.add_argument("--keep", action="store_true", help="leave the lines of pycaboose where they are")


# ---------------------------------------------------------------------- verbs


def _list(options: argparse.Namespace) -> int:
    for id, data in ScriptPersister(options.file).items():
        if options.json:
            say(_line(id, data))
        else:
            _say_item(id, data)
    return 0


def _line(id: str, data: bytes) -> str:
    """Return an item as a line of JSON: its value, or how it is shown if it is no JSON."""
    try:
        shown = f'"value": {as_json(_loaded(data))}'
    except (HoldallError, ValueError, RecursionError):
        shown = f'"shown": {json.dumps(_shown(data))}'
    return f'{{"key": {json.dumps(id)}, {shown}}}'


def _get(options: argparse.Namespace) -> int:
    data = ScriptPersister(options.file)[_id(options.name)]
    value = _loaded(data)
    if options.json:
        say_value(value, strict=True)
    else:
        say(value if options.text and isinstance(value, str) else _shown(data))
    return 0


def _set(options: argparse.Namespace) -> int:
    id, data = _id(options.name), _values.dumps(_parsed(options.value, options.kind))
    ScriptPersister(options.file)[id] = data
    _say_item(id, data)
    return 0


def _delete(options: argparse.Namespace) -> int:
    place = ScriptPersister(options.file)
    ids = [_id(name) for name in options.names]
    with place.lock:
        for id in ids:
            if id not in place:
                raise KeyError(id)
        place.remove_many(ids)
    return 0


def _import(options: argparse.Namespace) -> int:
    place = ScriptPersister(options.file)
    # Spreadsheets write a byte order mark first.
    with _table(options.csv, standard_input, "r", "utf-8-sig") as file:
        limit = csv.field_size_limit(sys.maxsize)  # values are of any size
        try:
            items = dict(_rows(file, options))
        except (UnicodeDecodeError, Base64Error, csv.Error) as error:
            raise InvalidArgumentError(f"{options.csv} cannot be read: {error}") from error
        finally:
            csv.field_size_limit(limit)
    place.write_many(items.items())
    say(f"{len(items)} values")
    return 0


def _rows(file: Any, options: argparse.Namespace) -> Iterator[tuple[str, bytes]]:
    """Yield names and data, after all of them were read."""
    for number, row in enumerate(csv.reader(file), 1):
        if not row or (number == 1 and row == _HEADER):
            continue
        if len(row) != 2:
            raise InvalidArgumentError(f"line {number} of {options.csv} has {len(row)} columns, not 2")
        name, text = row
        try:
            _id(name)
        except UsageError as error:
            raise InvalidArgumentError(f"line {number} of {options.csv}: {error}") from error
        if text.startswith(_PICKLE.decode()) and options.kind == "auto":
            if not options.pickles:
                raise InvalidArgumentError(
                    f"{name!r} in {options.csv} is a pickle, it can run code: give --pickles if you trust it"
                )
            a2b_base64(text[len(_PICKLE) :], strict_mode=True)
            yield name, text.encode()
        else:
            yield name, _values.dumps(_parsed(text, options.kind))


def _export(options: argparse.Namespace) -> int:
    place = ScriptPersister(options.file)
    with _table(options.csv, standard_output, "w", "utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(_HEADER)
        for id, data in place.items():
            # A carriage return alone is not always quoted, but ends a line for readers.
            row = quoting.writerow if "\r" in id else writer.writerow
            try:
                row([id, data.decode("ascii")])
            except UnicodeDecodeError:
                raise CorruptValueError(f"{id!r} was not stored by Value or ScriptStore") from None
    return 0


def _table(name: str, standard: Callable[[], Any], mode: str, encoding: str) -> AbstractContextManager[Any]:
    """Open a CSV file, or use a standard stream; names may be invalid Unicode, and contain line ends."""
    options: dict[str, Any] = {"encoding": encoding, "errors": "surrogatepass", "newline": ""}
    if name != "-":
        return open(name, mode, **options)
    stream = standard()
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(**options)
    return nullcontext(stream)


def _compact(options: argparse.Namespace) -> int:
    say(f"{ScriptPersister(options.file).compact()} bytes less")
    return 0


def _check(options: argparse.Namespace) -> int:
    found = ScriptPersister(options.file).check()
    for line in found:
        if options.json:
            say_json({"key": None, "fault": line})
        else:
            say(line)
    return 1 if found else 0


def _migrate(options: argparse.Namespace) -> int:
    place = ScriptPersister(options.file)
    lost = []
    for id, data in migrate(place, trust=options.trust, keep=options.keep).items():
        _say_item(id, data)
        lost += [id] if re.fullmatch(r"!\d+", id) else []
    for id in lost:
        say_error(
            f"{id}: no single value is made in line {id[1:]}, so nobody can tell whose it is; give it to one "
            f"by `holdall script FILE set NAME VALUE`, then `delete '{id}'`"
        )
    return 0


# ---------------------------------------------------------------------- names and values


def _say_item(id: str, data: bytes) -> None:
    """Write a name and a value on one line, without control characters."""
    say(f"{printable(id)} = {_shown(data)}")


def _id(name: str) -> str:
    """Return the id of a name, after a check that a key can have it."""
    key_of(name)
    return name


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise InvalidArgumentError(f"{text!r} is no Python literal") from error


def _of_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidArgumentError(f"{text!r} is no JSON: {error}") from error


def _guessed(text: str) -> Any:
    for parse in (_of_json, _literal):
        try:
            return parse(text)
        except InvalidArgumentError:
            continue
    return text


_KINDS: dict[str, Callable[[str], Any]] = {
    "auto": _guessed,
    "json": _of_json,
    "python": _literal,
    "text": str,
}


def _parsed(text: str, kind: str) -> Any:
    return _KINDS[kind](text)


def _shown(data: bytes) -> str:
    """Return a value for display: as JSON if it is, otherwise its repr if it is harmless to load."""
    if not data.startswith(_PICKLE):
        return ascii(data)[2:-1] if not data.isascii() else data.decode()
    try:
        return repr(_loaded(data))
    except (HoldallError, ValueError, RecursionError):  # or too long, or too deep, to display
        return f"<a pickle of {len(data) - len(_PICKLE)} characters>"


def _loaded(data: bytes) -> Any:
    """Load a value without running code."""
    if not data.startswith(_PICKLE):
        return _values.loads(data)
    try:
        return Harmless(io.BytesIO(a2b_base64(data[len(_PICKLE) :]))).load()
    except Exception as error:
        raise InvalidArgumentError(f"the value is a pickle that needs code: {error}") from error
