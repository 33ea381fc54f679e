"""How many examples a property is tried with: the same few each time, or many new ones (`nox -s explore`).

And which of the values that a test is repeated with wait for `nox -s soak`.
"""

import pytest
from hypothesis import Phase, settings

#: How many examples a property has that does not say. They are the same in each ordinary run, so that more
#: of them find nothing new; 2000 new ones do.
USUAL, EXPLORED = 20, 2000
#: How many times as many those have that say.
_TIMES = 50


def register_profiles() -> None:
    """Register the two profiles, and choose the one of the ordinary run."""
    # A busy machine is no error. What failed once is not tried again elsewhere: the same checkout gives the
    # same result on any machine, so nothing is drawn by chance or taken from a database of earlier runs.
    settings.register_profile(
        "ordinary",
        max_examples=USUAL,
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=True,
        # To explain which parts of a failing example matter took most of the time of laws that must fail.
        phases=[phase for phase in Phase if phase != Phase.explain],
    )
    settings.register_profile(
        "explore",
        max_examples=EXPLORED,
        stateful_step_count=200,
        deadline=None,
        database=None,
        print_blob=True,
    )
    settings.load_profile("ordinary")


def examples(count: int, **options: object) -> settings:
    """Return settings of `count` examples in the ordinary run, fifty times as many to explore."""
    times = _TIMES if settings.default.max_examples == EXPLORED else 1
    if times > 1:
        options.pop("stateful_step_count", None)
    return settings(max_examples=count * times, **options)


def in_soak(*values: object) -> list[object]:
    """Return values for `pytest.mark.parametrize` that only the soak session tries."""
    return [pytest.param(value, marks=pytest.mark.soak) for value in values]


def rows_in_soak(*rows: tuple[object, ...]) -> list[object]:
    """Return rows of values, one for each argument, that only the soak session tries."""
    return [pytest.param(*row, marks=pytest.mark.soak) for row in rows]
