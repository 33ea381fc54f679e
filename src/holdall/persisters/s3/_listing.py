"""Listing a bucket: complete, or an error; with names as they were written, however they are escaped."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from holdall._remote.engine import Page
from holdall._remote.facts import Facts
from holdall.conditional import Stat
from holdall.errors import StoreUnavailableError

__all__ = ["list_pages"]


def list_pages(
    ask: Callable[..., dict[str, Any]],
    facts: Facts,
    prefix: str,
    delimiter: str,
    location: str,
) -> Iterator[Page]:
    """Yield the pages of a listing.

    Parameters
    ----------
    ask
        Sends ListObjectsV2 with these parameters.
    facts
        What is known of the bucket.
    prefix, delimiter
        As for ListObjectsV2.
    location
        The location, for messages.

    Raises
    ------
    StoreUnavailableError
        If the listing is incomplete, or invalid.
    """
    options: dict[str, str] = {"Prefix": prefix, "EncodingType": "url"}
    if delimiter:
        options["Delimiter"] = delimiter
    tokens: set[str] = set()
    while True:
        answer = ask(**options)
        if "IsTruncated" not in answer or "Name" not in answer:
            raise StoreUnavailableError(f"{location} answered a listing of {prefix!r} with something else")
        entries = answer.get("Contents", ())
        folders = answer.get("CommonPrefixes", ())
        decode = _decoder(
            answer, [*(entry["Key"] for entry in entries), *(f["Prefix"] for f in folders)], facts
        )
        objects = [(decode(entry["Key"]), _stat(entry)) for entry in entries]
        yield Page(
            [(key, stat) for key, stat in objects if key.startswith(prefix)],
            [
                folder
                for folder in (decode(entry["Prefix"]) for entry in folders)
                if folder.startswith(prefix)
            ],
        )
        if not answer["IsTruncated"]:
            return
        following = answer.get("NextContinuationToken")
        if not following or following in tokens:
            raise StoreUnavailableError(
                f"the listing of {prefix!r} in {location} broke off: there is more, and the server sent no "
                "new token for it",
            )
        tokens.add(following)
        options["ContinuationToken"] = following


def _decoder(answer: dict[str, Any], names: list[str], facts: Facts) -> Callable[[str], str]:
    """Return a function that undoes the escapes of a page.

    AWS writes a space as "+" and a plus as "%2B". Others write "%20" and leave the plus: they are recognized
    by the first such page.
    """
    if answer.get("EncodingType") != "url":
        return str
    if facts.plus is None and any("%20" in name for name in names):
        facts.plus = True
    if facts.plus:
        return unquote
    return lambda name: unquote(name.replace("+", " "))


def _stat(entry: dict[str, Any]) -> Stat:
    # Whole seconds, as in the head of the object: some servers list fractions.
    return Stat(entry["ETag"].strip('"'), float(int(entry["LastModified"].timestamp())), entry["Size"])
