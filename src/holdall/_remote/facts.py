"""What was learned about a bucket at an endpoint, while the process runs.

Servers differ, and one server differs from bucket to bucket: some ignore conditions where versions are kept.
So nothing is assumed, and every test is made only once.
"""

import threading
from dataclasses import dataclass, field

from holdall._posix.fork import new_lock

__all__ = ["Facts", "facts_of"]


@dataclass(eq=False)
class Facts:
    """What is known of one bucket; None means not tested yet."""

    replaces: bool | None = None  # replacing can depend on an etag
    inserts: bool | None = None  # inserting can depend on absence
    deletes: bool | None = None  # deleting can depend on an etag, or on presence
    star: bool | None = None  # refusing "*" means no object: some servers take it for an etag
    quoted: bool | None = None  # etags in conditions have quotes
    bulk: bool = True  # many objects can be deleted by one request
    checksum: bool = False  # writes must come with a digest
    plus: bool | None = None  # "+" in listings is itself, not a space
    lock: "threading.RLock" = field(default_factory=new_lock, repr=False)


_known: dict[tuple[str, str], Facts] = {}


def facts_of(identity: tuple[str, str]) -> Facts:
    """Return what is known of an endpoint and bucket."""
    return _known.setdefault(identity, Facts())
