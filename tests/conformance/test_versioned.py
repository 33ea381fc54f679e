"""The persister of the how-to page keeps the contract, and is as short as the page says."""

import re
from pathlib import Path

import pytest

from holdall import Store
from holdall.testing import PersisterContract, StoreContract

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "backends.md"
_, _, REST = PAGE.read_text(encoding="utf-8").partition("\n## A server that compares and swaps")
SECTION = REST.partition("\n## ")[0]
SERVER, PERSISTER = re.findall(r"^```python\n((?!>>>).*?)^```", SECTION, re.MULTILINE | re.DOTALL)

page: dict = {}
exec("from holdall import *\nfrom holdall.conditional import ANY_ETAG\n" + SERVER + PERSISTER, page)
servers: dict = {}


def open_persister(place):
    """Open the persister of a place: the same server for the same place."""
    return page["ServerPersister"](servers.setdefault(place, page["Server"]()))


class TestServerPersister(PersisterContract):
    def open(self, place):
        return open_persister(place)


@pytest.mark.soak
class TestStoreOnAServer(StoreContract):
    def open(self, place):
        return Store(open_persister(place), serializer="json")


def test_it_takes_forty_lines_at_the_most():
    assert len([line for line in PERSISTER.splitlines() if line.strip()]) <= 40
