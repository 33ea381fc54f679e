"""Each planted bug of a store must fail the law that is there for it."""

import pytest

from conformance.store_mutants import MUTANTS, Sound, SoundFiles, SoundTable
from conformance.test_stores import TestFileDirStoreOfJson as OfFiles
from holdall.testing import StoreContract


class TestSoundStore(StoreContract):
    def open(self, place):
        return Sound(place)

    def open_with(self, place, **options):
        return Sound(place, **options)


def run_law(cls, law, place):
    """Run one law against one store, as pytest would."""
    members = {
        "open": lambda self, place: cls(place),
        "open_with": lambda self, place, **options: cls(place, **options),
        "intrude": OfFiles.intrude,
    }
    getattr(type("Contract", (StoreContract,), members)(), law)(place)


@pytest.mark.parametrize("cls", MUTANTS, ids=lambda cls: cls.__name__)
def test_the_law_catches_its_mutant(cls, tmp_path):
    (tmp_path / "sound").mkdir()
    sound = next(base for base in (SoundFiles, SoundTable, Sound) if issubclass(cls, base))
    run_law(sound, cls.caught_by, tmp_path / "sound")
    place = tmp_path / "mutant"
    place.mkdir()
    try:
        run_law(cls, cls.caught_by, place)
    except pytest.skip.Exception:
        pytest.fail(f"{cls.caught_by} skips {cls.__name__}")
    except (Exception, pytest.fail.Exception):
        return
    pytest.fail(f"{cls.caught_by} does not catch {cls.__name__}")


def test_each_mutant_names_a_law():
    assert {cls.caught_by for cls in MUTANTS} <= {
        name for name in dir(StoreContract) if name.startswith("test_")
    }
