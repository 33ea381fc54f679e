"""Stores behave as a dict does, whatever is done to them in whatever order."""

from hypothesis import strategies as st

from exploring import examples
from holdall import FileDirStore, MemoryStore
from holdall.testing import store_machine

keys = st.sampled_from(["", "a", "a/b", "a.json/b", "A", "é", "..", "x" * 300, "con"])
values = st.none() | st.integers() | st.lists(st.text(max_size=3), max_size=3)
few = examples(12, stateful_step_count=25)

TestMemoryStore = store_machine(lambda place: MemoryStore(), keys, values).TestCase
TestMemoryStore.settings = few
TestFileDirStore = store_machine(
    lambda place: FileDirStore(place / "s", serializer="json"), keys, values
).TestCase
TestFileDirStore.settings = few
