"""The mark of large data: what it must notice, word by word."""

import numpy as np
import pytest

from holdall.wrappers.spilling._changes import mark_of_pieces

SIZE = 20_000  # words: rows and columns several times, and what is left of them

# Distances around the lengths of rows and columns, where a weak sum would meet itself.
NEAR = {k * n + d for k in (1, 2, 3) for n in (509, 1019, 1021) for d in (-1, 0, 1)}
DISTANCES = sorted(NEAR | set(range(1, 24)))


def mark(words):
    return mark_of_pieces([b"head", memoryview(words)])


@pytest.fixture
def words():
    return np.random.default_rng(0).integers(0, 1 << 64, SIZE, dtype=np.uint64)


def test_any_single_changed_word_is_noticed(words):
    before = mark(words)
    for bit in (0, 31, 63):
        for place in range(0, SIZE, 61):
            words[place] ^= np.uint64(1 << bit)
            assert mark(words) != before, (bit, place)
            words[place] ^= np.uint64(1 << bit)
    assert mark(words) == before


@pytest.mark.parametrize("distance", DISTANCES)
def test_two_exchanged_words_are_noticed_at_any_distance(words, distance):
    before = mark(words)
    for place in range(0, SIZE - distance, 487):
        pair = [place, place + distance]
        words[pair] = words[pair[::-1]]
        assert mark(words) != before, place
        words[pair] = words[pair[::-1]]


@pytest.mark.parametrize("distance", DISTANCES)
def test_two_changed_signs_are_noticed_at_any_distance(distance):
    values = np.random.default_rng(0).normal(size=SIZE)
    before = mark(values)
    for place in range(0, SIZE - distance, 487):
        values[[place, place + distance]] *= -1
        assert mark(values) != before, place
        values[[place, place + distance]] *= -1


@pytest.mark.parametrize("step", [1, 2, 3, 509, 1019, 1021, 2038, 4096])
def test_changed_signs_are_noticed_at_any_step(step):
    values = np.random.default_rng(0).normal(size=SIZE)
    before = mark(values)
    values[::step] *= -1
    assert mark(values) != before
