"""The public conformance suite: laws that any persister, store, serializer or key codec can be held to.

Needs the extra ``holdall[testing]`` (pytest and Hypothesis). Subclass a contract in a test module, say
how to make the thing, and pytest runs the laws::

    from holdall.testing import PersisterContract

    class TestRedis(PersisterContract):
        def open(self, place):
            return Redis(place)
"""

import pytest

# Before the imports below: so that a failed law shows the values, in anybody's test run.
for _module in (
    "_codecs",
    "_handles",
    "_machine",
    "_persister",
    "_races",
    "_store",
    "_store_base",
    "_store_conditional",
    "_store_manners",
    "_store_options",
    "_store_verbs",
):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from holdall.testing._codecs import KeyCodecContract, SerializerContract  # noqa: E402
from holdall.testing._machine import store_machine  # noqa: E402
from holdall.testing._names import HOSTILE_NAMES  # noqa: E402
from holdall.testing._persister import PersisterContract  # noqa: E402
from holdall.testing._store import StoreContract  # noqa: E402

__all__ = [
    "HOSTILE_NAMES",
    "KeyCodecContract",
    "PersisterContract",
    "SerializerContract",
    "StoreContract",
    "store_machine",
]
