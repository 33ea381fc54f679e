"""The public conformance suite: laws that any persister, store, serializer or key codec should obey.

Needs the extra ``holdall[testing]`` (pytest and Hypothesis). Subclass a contract in a test module, define how
to make the object, and pytest runs the laws::

    from holdall.testing import PersisterContract

    class TestRedis(PersisterContract):
        def open(self, place):
            return Redis(place)
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdall.testing._codecs import KeyCodecContract, SerializerContract
    from holdall.testing._machine import store_machine
    from holdall.testing._names import HOSTILE_NAMES
    from holdall.testing._persister import PersisterContract
    from holdall.testing._store import StoreContract

__all__ = [
    "HOSTILE_NAMES",
    "KeyCodecContract",
    "PersisterContract",
    "SerializerContract",
    "StoreContract",
    "store_machine",
]

_HOME = {
    "HOSTILE_NAMES": "_names",
    "KeyCodecContract": "_codecs",
    "PersisterContract": "_persister",
    "SerializerContract": "_codecs",
    "StoreContract": "_store",
    "store_machine": "_machine",
}

if sys.modules.get("pytest"):  # not in the processes that laws start
    import pytest

    # A failed law shows the values, in anyone's test run.
    for _module in (
        "_codecs",
        "_handles",
        "_machine",
        "_persister",
        "_races",
        "_store",
        "_store_base",
        "_store_changes",
        "_store_conditional",
        "_store_copying",
        "_store_manners",
        "_store_options",
        "_store_verbs",
    ):
        pytest.register_assert_rewrite(f"{__name__}.{_module}")


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'holdall.testing' has no attribute {name!r}")
    from importlib import import_module

    try:
        value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in {"pytest", "hypothesis"}:
            raise
        raise ImportError(
            f'{name} needs {error.name}, which is not installed: pip install "holdall[testing]"',
            name=error.name,
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
