"""Small data that would become enormous values."""

import io
import zipfile

import pytest

from holdall import ZipStore
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError, ValueTooLargeError
from holdall.serializers import get_serializer
from holdall.serializers._exact import ExactSerializer
from holdall.serializers.npy import NpzSerializer
from holdall.serializers.workbook import XlsxSerializer
from holdall.serializers.yaml_ import YamlSerializer

np = pytest.importorskip("numpy")


def bomb(levels=30):
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def test_aliases_that_multiply_are_refused():
    with pytest.raises(CorruptValueError, match=r"aliases.*max_nodes"):
        get_serializer("yaml").loads(bomb())
    with pytest.raises(CorruptValueError, match="max_nodes"):
        YamlSerializer(max_nodes=10).loads(b"a: &a [1, 2, 3, 4]\nb: [*a, *a]\n")
    assert YamlSerializer(max_nodes=20).loads(b"a: &a [1, 2]\nb: [*a, *a]\n") == {
        "a": [1, 2],
        "b": [[1, 2], [1, 2]],
    }


def test_values_that_would_be_such_are_not_written():
    value = ["x", "x"]
    for _ in range(30):
        value = [value, value]
    with pytest.raises(SerializationError, match="max_nodes"):
        get_serializer("yaml").dumps(value)


def test_aliases_in_a_circle_are_counted_once():
    value = get_serializer("yaml").loads(b"&a [1, *a]")
    assert value[1] is value


def test_many_nodes_without_aliases_are_no_bomb():
    value = ["*a", *range(50)]
    data = YamlSerializer(max_nodes=5).dumps(value)
    assert YamlSerializer(max_nodes=5).loads(data) == value


def test_arrays_of_an_npz_are_bounded_by_option():
    data = NpzSerializer(compress=True).dumps({"a": np.zeros(1 << 20), "b": np.zeros(1 << 20)})
    assert len(data) < 40_000
    with pytest.raises(CorruptValueError, match=r"16777472 bytes.*max_bytes"):
        NpzSerializer(max_bytes=16_000_000).loads(data)
    assert list(NpzSerializer(max_bytes=17_000_000).loads(data)) == ["a", "b"]


def workbook(cells):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for name, value in cells.items():
        book.active[name] = value
        book.active[name].font = openpyxl.styles.Font(bold=True)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_cells_that_are_only_formatted_are_not_there():
    sheet = get_serializer("xlsx").loads(workbook({"A1": 1, "B2": None, "E1048576": None}))
    assert sheet == {"Sheet": [[1]]}


def test_a_workbook_has_a_greatest_number_of_cells():
    data = workbook({"C2": 1, "A4": 2})
    assert XlsxSerializer(max_cells=8).loads(data) == {"Sheet": [[], [None, None, 1], [], [2]]}
    with pytest.raises(CorruptValueError, match="max_cells"):
        XlsxSerializer(max_cells=7).loads(data)


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        (YamlSerializer, "max_nodes"),
        (ZipStore, "max_bytes"),
        (NpzSerializer, "max_bytes"),
        (XlsxSerializer, "max_cells"),
    ],
)
def test_bounds_are_numbers(kind, option):
    for bound in (0, -1, "1", 1.5, True):
        with pytest.raises(InvalidArgumentError, match=option):
            kind(**{option: bound})
    assert f"{option}=7" in repr(kind(**{option: 7}))


def test_sizes_of_members_that_lie_are_not_believed():
    data = bytearray(NpzSerializer().dumps({"a": np.zeros(100)}))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.infolist()[0].file_size
    lying = bytes(data).replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with pytest.raises(CorruptValueError):
        NpzSerializer(max_bytes=500).loads(lying)


def test_entries_of_an_archive_are_bounded_by_option(tmp_path):
    path = tmp_path / "a.zip"
    ZipStore(path).update({"small": b"x", "large": bytes(10_000_000)})
    assert path.stat().st_size < 20_000
    for archive in (path, path.read_bytes()):
        store = ZipStore(archive, max_bytes=1000)
        assert store["small"] == b"x"
        with pytest.raises(ValueTooLargeError, match=r"'large'.*10000000 bytes.*max_bytes"):
            store["large"]
        with pytest.raises(ValueTooLargeError):
            dict(store)
        assert "large" in store
        assert len(ZipStore(archive, max_bytes=10_000_000)["large"]) == 10_000_000


def test_small_data_that_claim_more_than_the_memory_are_corrupt():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    feather = get_serializer("feather")
    data = bytearray(feather.dumps(pandas.DataFrame({"a": range(1000)})))
    at = data.index(b'\x04"M\x18') - 8  # before a frame of LZ4: the size that it unpacks to
    data[at : at + 8] = (1 << 62).to_bytes(8, "little")
    with pytest.raises(CorruptValueError):
        feather.loads(bytes(data))


@pytest.mark.parametrize(("size", "kind"), [(1 << 20, CorruptValueError), ((1 << 20) + 1, MemoryError)])
def test_only_small_data_are_blamed_for_a_want_of_memory(size, kind):
    class Greedy(ExactSerializer):
        name = "greedy"

        def _write(self, value):
            return value

        def _read(self, data):
            raise MemoryError("no room")

    with pytest.raises(kind, match="no room"):
        Greedy().loads(bytes(size))
