"""A state machine that compares a store with a dict, through reopening and second handles."""

import copy
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdall.abc import Capability
from holdall.conditional import ETAG_HAS_CHANGED, ETAG_IS_THE_SAME, ITEM_NOT_AVAILABLE


def store_machine(
    open: Callable[[Path], Any],
    keys: st.SearchStrategy[Any],
    values: st.SearchStrategy[Any],
) -> type[RuleBasedStateMachine]:
    """Return a Hypothesis state machine that compares a store with a dict.

    Parameters
    ----------
    open
        Opens the store of a folder, which is empty at first; called again to reopen it.
    keys
        A strategy of keys.
    values
        A strategy of values that come back equal.

    Returns
    -------
    type
        The machine; its ``TestCase`` is collected by pytest.

    Examples
    --------
    >>> from hypothesis import strategies as st
    >>> from holdall import MemoryStore
    >>> machine = store_machine(lambda place: MemoryStore(), st.text(), st.integers())
    >>> TestMemory = machine.TestCase
    """

    class StoreMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.place = Path(tempfile.mkdtemp(prefix="holdall-machine-"))
            self.store = open(self.place)
            self.model: dict[Any, Any] = {}

        def teardown(self) -> None:
            self.store.close()
            shutil.rmtree(self.place, ignore_errors=True)

        def persistent(self) -> bool:
            return Capability.PERSISTENT in self.store.pipeline.persister.capabilities

        @initialize(key=keys, value=values)
        def begin(self, key: Any, value: Any) -> None:
            self.store[key] = self.model[key] = value

        @rule(key=keys, value=values)
        def write(self, key: Any, value: Any) -> None:
            self.store[key] = self.model[key] = value

        @rule(key=keys)
        def delete(self, key: Any) -> None:
            try:
                del self.store[key]
                there = True
            except KeyError:
                there = False
            assert there == (key in self.model)
            self.model.pop(key, None)

        @rule(key=keys)
        def pop(self, key: Any) -> None:
            assert self.store.pop(key, "nothing") == self.model.pop(key, "nothing")

        @rule(key=keys, value=values)
        def setdefault(self, key: Any, value: Any) -> None:
            assert self.store.setdefault(key, value) == self.model.setdefault(key, value)

        @rule(items=st.dictionaries(keys, values, max_size=4))
        def update(self, items: dict[Any, Any]) -> None:
            self.store.update(items)
            self.model.update(items)

        @rule()
        def popitem(self) -> None:
            if self.model:
                key, value = self.store.popitem()
                assert self.model.pop(key) == value

        @rule(key=keys)
        def discard(self, key: Any) -> None:
            assert self.store.discard(key) == (key in self.model)
            self.model.pop(key, None)

        @rule()
        def clear(self) -> None:
            self.store.clear()
            self.model.clear()

        @rule()
        def delete_while_iterating(self) -> None:
            for number, key in enumerate(self.store):
                if number % 2:
                    del self.store[key]
                    del self.model[key]

        @rule(key=keys, value=values, right=st.booleans())
        def compare_and_swap(self, key: Any, value: Any, right: bool) -> None:
            etag = self.store.etag(key) if key in self.model else ITEM_NOT_AVAILABLE
            result = self.store.set_item_if(
                key,
                value=value,
                condition=ETAG_IS_THE_SAME if right else ETAG_HAS_CHANGED,
                expected_etag=etag,
            )
            assert result.condition_was_satisfied == right
            if right:
                self.model[key] = value

        @rule(key=keys, value=values)
        def swap_with_a_stale_etag(self, key: Any, value: Any) -> None:
            stale = self.store.etag(key) if key in self.model else ITEM_NOT_AVAILABLE
            self.store[key] = self.model[key] = value
            result = self.store.set_item_if(
                key,
                value=value,
                condition=ETAG_IS_THE_SAME,
                expected_etag=stale,
            )
            assert not result.condition_was_satisfied
            assert result.actual_etag == self.store.etag(key)

        @rule(key=keys, value=values)
        def write_while_iterating(self, key: Any, value: Any) -> None:
            there = set(self.model)
            met = []
            for old in self.store:
                met.append(old)
                self.store[key] = self.store[old] = value
            assert there <= set(met) <= there | {key}
            assert len(met) == len(set(met))
            if there:
                self.model.update(dict.fromkeys([*there, key], value))

        @rule(key=keys, value=values)
        def write_through_a_copy_of_the_handle(self, key: Any, value: Any) -> None:
            second = copy.copy(self.store)
            second[key] = self.model[key] = value
            assert second == self.model

        @rule(key=keys, value=values)
        def transform(self, key: Any, value: Any) -> None:
            assume(value is not None)  # a transformer must not return None for mutable values
            seen: list[Any] = []

            def transformer(old: Any) -> Any:
                seen.append(old)
                return value

            self.store.transform_item(key, transformer=transformer)
            assert seen == [self.model.get(key, ITEM_NOT_AVAILABLE)]
            self.model[key] = value

        @precondition(persistent)
        @rule()
        def reopen(self) -> None:
            self.store.close()
            self.store = open(self.place)

        @precondition(persistent)
        @rule(key=keys, value=values)
        def second_handle(self, key: Any, value: Any) -> None:
            second = open(self.place)
            assert second == self.model
            second[key] = self.model[key] = value
            second.close()

        @invariant()
        def same_as_a_dict(self) -> None:
            assert dict(self.store.items()) == self.model
            assert len(self.store) == len(self.model)
            assert all(key in self.store for key in self.model)

    return StoreMachine
