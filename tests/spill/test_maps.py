"""Values that are mapped from their files."""

import pytest
from tests.spill._support import run

from holdall import SpillStore
from holdall.serializers.npy import NpySerializer


@pytest.mark.parametrize("alone", [True, False])
def test_mapped_values_take_no_memory_and_stay_as_they_are(tmp_path, alone):
    np = pytest.importorskip("numpy")
    options = {"serializer": NpySerializer(mmap_mode="r"), "file_per_value": alone}
    with SpillStore(tmp_path / "store", memory=100_000, **options) as store:
        store.update((n, np.full(30_000, n)) for n in range(10))
        store.shrink()
        arrays = [store[n] for n in range(10)]
        assert [array[-1] for array in arrays] == list(range(10))
        assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in arrays)
        assert store.stats().memory < 20_000
        store[0] = np.full(30_000, -1)
        store.flush()
        assert arrays[0][-1] == 0, "a published file is never changed"
        del store[1]
        assert arrays[1][-1] == 1


def test_maps_are_limited_by_the_descriptors_that_there_are(tmp_path):
    code = """
        import resource
        import numpy as np
        from holdall.serializers.npy import NpySerializer
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        store = FileDirStore(sys.argv[1], serializer="npy", mmap_mode="r")
        store["x"] = np.arange(1000)
        kept = [store["x"] for _ in range(2000)]
        assert all(array[-1] == 999 and not array.flags.writeable for array in kept)
        mapped = sum(isinstance(array, np.memmap) for array in kept)
        del kept
        gc.collect()
        print(mapped, isinstance(store["x"], np.memmap))
    """
    out, err = run(code, tmp_path)
    assert out.split() == ["64", "True"], err
