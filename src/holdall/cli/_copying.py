"""``holdall cp``, ``mv`` and ``diff``: items of two stores."""

import argparse
from collections.abc import Iterable
from typing import Any

from holdall.cli._opening import UsageError, add_address, key_of, opened, selected, shown_key, word_of
from holdall.cli._progress import progress
from holdall.cli._saying import say, say_json
from holdall.conditional import ETAG_IS_THE_SAME
from holdall.errors import HoldallError
from holdall.store import Store

_ABSENT = object()


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    one = _verb(commands, "cp", "copy items from one store to another")
    one.add_argument("--resume", action="store_true", help="leave out the keys that TARGET has already")
    one.add_argument("--times", action="store_true", help="keep the times of the items")
    one.add_argument("--verify", action="store_true", help="read both sides again, and compare")
    one.set_defaults(run=_cp)
    _verb(commands, "mv", "move items from one store to another, or to another key").set_defaults(run=_mv)

    about = "compare two stores: '- key' is only in the first, '+ key' only in the second, '! key' differs"
    one = commands.add_parser("diff", help="compare two stores", description=about.capitalize())
    add_address(one, "source", "FIRST", "the first store")
    add_address(one, "target", "SECOND", "the second store")
    one.add_argument("--json", action="store_true", help="write a line of JSON for each difference")
    one.set_defaults(run=_diff)


def _verb(commands: Any, name: str, about: str) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about.capitalize() + ".")
    add_address(one, "source", "SOURCE", "where the items are")
    add_address(one, "target", "TARGET", "where they go; made if it is not there")
    one.add_argument(
        "keys", metavar="KEY", nargs="*", default=[], help="a key, or a pattern with *, ? and [...]"
    )
    one.add_argument("-r", "--recursive", action="store_true", help="all items of SOURCE")
    one.add_argument("--to", metavar="NEW", help="the key that the one item gets")
    return one


def _check(options: argparse.Namespace) -> None:
    if bool(options.keys) == options.recursive:
        raise UsageError("say which keys, or -r for all of them")
    if options.to is not None and len(options.keys) != 1:
        raise UsageError("--to gives one key another name: say which")


def _cp(options: argparse.Namespace) -> int:
    _check(options)
    if options.to is not None and (options.times or options.resume):
        raise UsageError("--to goes with neither --times nor --resume")
    with opened(options.source, options) as source:
        keys = None if options.recursive else list(selected(source, options.keys))
        with opened(options.target, options, write=True, make=True) as target:
            if options.to is not None:
                new = _renamed(options, keys)
                target[new] = source[keys[0]] if keys else None
                wrong = _differences([(keys[0], new)], source, target) if keys and options.verify else []
            else:
                from holdall.wrappers import filt_iter  # noqa: PLC0415  (slow to import)

                part = source if keys is None else filt_iter(source, filt=dict.fromkeys(keys))
                with progress("copying", lambda: len(part)) as tell:
                    part.copy_to(target, progress=tell, only_new=options.resume, keep_times=options.times)
                pairs = ((key, key) for key in part)
                wrong = _differences(pairs, source, target) if options.verify else []
    for key in wrong:
        say(f"! {shown_key(key)}")
    return 1 if wrong else 0


def _renamed(options: argparse.Namespace, keys: list[Any] | None) -> Any:
    if keys is None or len(keys) != 1:
        raise UsageError(
            f"--to gives one key another name, and {options.keys[0]!r} is {len(keys or ())} keys"
        )
    return key_of(options.to)


def _same(one: Any, other: Any) -> bool:
    from holdall.wrappers._same import same_value  # noqa: PLC0415  (slow to import)

    return same_value(one, other)


def _differences(
    pairs: Iterable[tuple[Any, Any]], source: Store[Any, Any], target: Store[Any, Any]
) -> list[Any]:
    """Return the keys of the source that the target has with another value, or not at all."""
    wrong = []
    for key, new in pairs:
        value = source.get(key, _ABSENT)
        if value is not _ABSENT and not _same(value, target.get(new, _ABSENT)):
            wrong.append(key)
    return wrong


def _mv(options: argparse.Namespace) -> int:
    _check(options)
    left = []
    with opened(options.source, options, write=True) as source:
        keys = list(selected(source, options.keys))
        new = None if options.to is None else _renamed(options, keys)
        with (
            opened(options.target, options, write=True, make=True) as target,
            progress("moving", lambda: len(keys)) as tell,
        ):
            for count, key in enumerate(keys, 1):
                if not _moved(source, key, target, key if options.to is None else new):
                    left.append(key)
                if tell is not None:
                    tell(count)
    if left:
        names = ", ".join(map(shown_key, left[:3]))
        raise HoldallError(
            f"{len(left)} items stay where they were ({names}): they changed meanwhile, are not what was "
            "written, or SOURCE and TARGET are the same place"
        )
    return 0


def _moved(source: Store[Any, Any], key: Any, target: Store[Any, Any], new: Any) -> bool:
    """Move an item; delete the old one only if it is still the copied one, and the copy is right.

    An item written over itself has another etag: nothing is lost if both are the same store.
    """
    etag = source.etag(key)
    value = source[key]
    target[new] = value
    target.flush()
    if not _same(value, target.get(new, _ABSENT)):
        return False
    return source.discard_if(key, condition=ETAG_IS_THE_SAME, expected_etag=etag).condition_was_satisfied


def _diff(options: argparse.Namespace) -> int:
    differ = False
    with opened(options.source, options) as first, opened(options.target, options) as second:
        for key in first:
            value = first.get(key, _ABSENT)
            other = second.get(key, _ABSENT)
            if value is not _ABSENT and not _same(value, other):
                differ = True
                _say_difference("-" if other is _ABSENT else "!", key, as_json=options.json)
        for key in second:
            if key not in first:
                differ = True
                _say_difference("+", key, as_json=options.json)
    return 1 if differ else 0


_SAID = {"-": "only in the first", "+": "only in the second", "!": "differs"}


def _say_difference(sign: str, key: Any, *, as_json: bool) -> None:
    if as_json:
        say_json({"key": word_of(key), "what": _SAID[sign]})
    else:
        say(f"{sign} {shown_key(key)}")
