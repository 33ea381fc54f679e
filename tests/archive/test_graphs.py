"""Random graphs of objects that hash and contain each other come back, with all members found."""

import random

import pytest

from archive import compare, things
from exploring import in_soak
from holdall import Archive
from holdall.archive import loads

KINDS = ("list", "dict", "set", "frozenset", "tuple", "hashed", "hashed", "plain")


def graph(rng, size):
    """Return objects that refer to each other, with cycles through all that can be filled later."""
    made = []
    hashable = []

    def members():
        """Return members of a set, at most one of them without a name, so that they have an order."""
        named = [value for value in hashable if type(value) is things.Hashed]
        found = set(rng.sample(named, min(len(named), rng.randrange(3))))
        return found | ({rng.choice(hashable)} if hashable else set())

    for number in range(size):
        kind = rng.choice(KINDS)
        parts = [rng.choice(made) for _ in range(rng.randrange(3))] if made else []
        if kind == "tuple" and all(any(part is value for value in hashable) for part in parts):
            value = tuple(parts)
            hashable.append(value)
        elif kind == "frozenset":
            value = frozenset(members())
            hashable.append(value)
        elif kind == "hashed":
            value = things.Hashed(f"h{number}")
            hashable.append(value)
        else:
            value = {"list": [], "dict": {}, "set": set(), "plain": things.Plain()}.get(kind, tuple(parts))
        made.append(value)
    for value in made:
        if type(value) is list:
            value.extend(rng.choice(made) for _ in range(3))
        elif type(value) is set:
            value.update(members())
        elif type(value) is dict:
            value.update(dict.fromkeys(members(), rng.choice(made)))
        elif type(value) is things.Hashed:
            value.peers = rng.choice([frozenset(members()), members(), tuple(members()), [value]])
        elif type(value) is things.Plain:
            value.part = rng.choice(made)
    return made


def not_found(value):
    """Return a set or dict somewhere in a value that does not find its own members."""
    seen, todo = set(), [value]
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, set | frozenset | dict) and not all(member in value for member in value):
            return value
        todo += value.values() if isinstance(value, dict) else ()
        todo += (
            value
            if isinstance(value, list | tuple | set | frozenset | dict)
            else vars(value).values()
            if hasattr(value, "__dict__")
            else ()
        )
    return None


@pytest.mark.parametrize("seed", [*range(20), *in_soak(*range(20, 500))])
def test_random_graphs_come_back(seed):
    rng = random.Random(seed)
    value = graph(rng, rng.choice([5, 12, 30]))
    archive = Archive(scoped=seed % 2 == 0)
    archive.insert(value=value)
    by_running = {}
    exec(str(archive), by_running)
    for found in (by_running, loads(str(archive), allow=[things.Hashed, things.Plain])):
        assert compare.difference(value, found["value"]) is None
        assert not_found(found["value"]) is None
