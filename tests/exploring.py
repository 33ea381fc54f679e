"""How many examples a property is tried with: the same few each time, or many new ones (`nox -s explore`).

And which of the values that a test is repeated with, and which laws of a contract, wait for `nox -s soak`.
"""

from functools import wraps

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


#: Laws of persisters that start processes, for places that differ from another one in what no process sees.
AMONG_PROCESSES = (
    "test_a_forked_child_shares_the_place",
    "test_no_increment_of_processes_is_lost",
    "test_one_of_several_inserting_processes_wins",
)


def soaks(*names, but=None):
    """Leave laws of a contract that are long over a server, or kept by many stores, to the soak session.

    These, or all `but` some; a name that is no law is an error.
    """

    def leave(contract):
        laws = {name for name in dir(contract) if name.startswith("test_")}
        left = set(names) if but is None else laws - but
        assert left | set(but or ()) <= laws, "a law that is none"
        for name in left:
            setattr(contract, name, pytest.mark.soak(_own(getattr(contract, name))))
        return contract

    return leave


def _own(law):
    """Make a law that can be marked without marking that of all other places."""

    @wraps(law)
    def own(*arguments, **fixtures):
        return law(*arguments, **fixtures)

    return own
