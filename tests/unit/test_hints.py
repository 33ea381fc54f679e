"""What a first try gets wrong is told with what was meant, and the words lead on to what works."""

import pytest

import holdall
from holdall import FileDirStore, InvalidArgumentError, MultiFormatStore, Store, ZipStore
from holdall.errors import CorruptValueError
from holdall.keys import PathKeys
from holdall.recipes import web_cache
from holdall.serializers import TextSerializer, by_suffix


@pytest.mark.parametrize("make", [lambda path: Store(str(path)), Store], ids=["text", "path"])
def test_a_path_is_no_place_for_a_bare_store(make, tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"open a path by FileDirStore\(.*holdall.open"):
        make(tmp_path)


@pytest.mark.parametrize(
    "make",
    [
        lambda path, suffix: FileDirStore(path, serializer="json", suffix=suffix),
        lambda path, suffix: ZipStore(path / "a.zip", serializer="json", suffix=suffix),
        lambda path, suffix: MultiFormatStore(path, notes={"serializer": "text", "suffix": suffix}).notes,
    ],
    ids=["folder", "zip", "formats"],
)
def test_a_suffix_that_lost_its_dot_is_refused_before_files_have_odd_names(make, tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"'json' would make 'keyjson' of 'key': write '.json'"):
        make(tmp_path, "json")
    assert list(tmp_path.iterdir()) == []
    make(tmp_path, "-v1.json")["key"] = "text"


def test_a_codec_takes_any_suffix(tmp_path):
    store = FileDirStore(tmp_path, serializer="json", keys=PathKeys(suffix="json"))
    store["key"] = 1
    assert (tmp_path / "keyjson").exists()


@pytest.mark.parametrize("name", ["text", "csv", "pandas-csv"])
def test_text_in_another_encoding_says_how_to_read_it(name, tmp_path):
    if name == "pandas-csv":
        pytest.importorskip("pandas")
    (tmp_path / "towns").write_bytes("[a]\nname = Köln\n".encode("cp1252"))
    towns = FileDirStore(tmp_path, serializer=name, suffix="")
    with pytest.raises(CorruptValueError, match=r"such as 'cp1252', give \w+Serializer\(encoding=\.\.\.\)"):
        towns["towns"]
    read = FileDirStore(tmp_path, serializer=by_suffix(other=TextSerializer(encoding="cp1252")))
    assert "Köln" in read["towns"]


def test_formats_that_have_one_encoding_recommend_no_other(tmp_path):
    (tmp_path / "a.json").write_bytes(b'"K\xf6ln"')
    with pytest.raises(CorruptValueError, match="not JSON") as caught:
        FileDirStore(tmp_path, serializer="json")["a"]
    assert "encoding" not in str(caught.value).partition("byte 0x")[2]


def test_options_are_called_as_they_were_given(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"^max_age is a number of seconds"):
        web_cache(tmp_path, max_age="1 day")
    with pytest.raises(InvalidArgumentError, match=r"^no serializer is called 'zzz'; known are 'audio'"):
        FileDirStore(tmp_path, serializer="zzz")


def test_an_address_of_s3_leads_on():
    pytest.importorskip("boto3")
    with pytest.raises(InvalidArgumentError, match=r"prefix=, and holdall.open takes 's3://bucket/prefix'"):
        holdall.S3Store("s3://bucket/results")
