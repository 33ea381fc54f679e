"""Laws of a contract that one place keeps in the ordinary run, and its kin in the soak session."""

from functools import wraps

import pytest


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
