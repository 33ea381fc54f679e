"""The suite is a product: each planted bug must fail the law that is there for it."""

import inspect

import pytest

from conformance.mutants import MUTANTS, Sound, SoundVersioned
from conformance.test_persisters import TestFiles as OfFiles
from holdall.persisters.files import FilesPersister
from holdall.testing import PersisterContract


class TestSound(PersisterContract):
    def open(self, place):
        return Sound(place)


class TestSoundVersioned(PersisterContract):
    def open(self, place):
        return SoundVersioned(place)


def run_law(cls, law, place):
    """Run one law against one persister, as pytest would."""
    members = {"open": lambda self, place: cls(place)}
    if issubclass(cls, FilesPersister):
        members = {name: vars(OfFiles)[name] for name in ("raw_read", "raw_write", "break_place")}
        members["open"] = lambda self, place: cls(place / "files")
    if cls.__name__ == "ReadOnlyInNameOnly":  # its items come from a handle that may write
        members["fill"] = lambda self, persister, place: PersisterContract.fill(self, Sound(place), place)
    contract = type("Contract", (PersisterContract,), members)()
    getattr(contract, law)(place)


@pytest.mark.parametrize("cls", MUTANTS, ids=lambda cls: cls.__name__)
def test_the_law_catches_its_mutant(cls, tmp_path):
    sound = next(kind for kind in (FilesPersister, SoundVersioned, Sound) if issubclass(cls, kind))
    place = tmp_path / "mutant"
    place.mkdir()
    caught = False
    try:
        run_law(cls, cls.caught_by, place)
    except pytest.skip.Exception:
        pytest.fail(f"{cls.caught_by} skips {cls.__name__}")
    except BaseException:
        caught = True
    assert caught, f"{cls.caught_by} does not catch {cls.__name__}"
    place = tmp_path / "sound"
    place.mkdir()
    try:
        run_law(sound, cls.caught_by, place)
    except pytest.skip.Exception:
        assert cls.__name__ == "ReadOnlyInNameOnly"


def test_there_are_enough_mutants_and_each_names_a_law():
    laws = {name for name, _ in inspect.getmembers(PersisterContract) if name.startswith("test_")}
    assert len(MUTANTS) >= 20
    assert {cls.caught_by for cls in MUTANTS} <= laws
