"""Layers over serializers: by name, bounded, signed, encrypted, and reopened without an option."""

import base64
import bz2
import gzip
import hashlib
import hmac
import json
import lzma
import pickle
import subprocess
import sys

import pytest

from holdall import FileDirStore, SQLiteStore, Store, serializers
from holdall.errors import (
    CorruptValueError,
    InvalidArgumentError,
    SerializationError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.serializers import (
    AesGcmSerializer,
    BySuffix,
    FernetSerializer,
    GzipSerializer,
    HmacSerializer,
    by_suffix,
    get_serializer,
    serializer_for_suffix,
)

KEY = bytes(range(32))
ENV_KEY = base64.urlsafe_b64encode(KEY).decode()
COMPRESSED = ["gz", "bz2", "xz", "zst", "lz4"]
PACKAGES = {"zst": "zstandard", "lz4": "lz4", "aesgcm": "cryptography", "fernet": "cryptography"}
LAYERS = [*COMPRESSED, "base64", "checksum", "hmac", "aesgcm", "fernet"]


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("HOLDALL_KEY", ENV_KEY)


def need(*layers):
    for layer in layers:
        if layer in PACKAGES:
            pytest.importorskip(PACKAGES[layer])


@pytest.mark.parametrize("layer", LAYERS)
def test_a_folder_reopens_without_an_option(layer, tmp_path, key):
    need(layer)
    store = FileDirStore(tmp_path / "s", serializer=f"json.{layer}")
    store["a/b"] = value = {"x": [1, None, "é"] * 50}
    again = FileDirStore(tmp_path / "s")
    assert again["a/b"] == value
    assert again.serializer == store.serializer
    recorded = (tmp_path / "s" / ".holdall" / "store.json").read_text()
    assert json.loads(recorded)["serializer"] == f"json.{layer}"
    assert ENV_KEY not in recorded


def test_other_stores_reopen_too(tmp_path):
    SQLiteStore(tmp_path / "a.db", serializer="pickle.gz.checksum")["k"] = {1, 2}
    assert SQLiteStore(tmp_path / "a.db")["k"] == {1, 2}


@pytest.mark.parametrize(
    ("spec", "name", "suffix"),
    [
        ("json.gz", "json.gz", ".json.gz"),
        ("json.gzip", "json.gz", ".json.gz"),
        ("text.lzma", "text.xz", ".txt.xz"),
        ("json | base64", "json.base64", ".json.b64"),
        ("pickle|gz | hmac", "pickle.gz.hmac", ".pkl.gz.signed"),
        ("csv.bz2.checksum", "csv.bz2.checksum", ".csv.bz2.sum"),
    ],
)
def test_names(spec, name, suffix, key):
    made = get_serializer(spec)
    assert (made.name, made.suffix) == (name, suffix)
    assert get_serializer(made.name) == made == pickle.loads(pickle.dumps(made))
    assert hash(get_serializer(made.name)) == hash(made)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("json.gzz", "no layer is called 'gzz' in 'json.gzz', did you mean 'gz'"),
        ("jsn.gz", "no serializer is called 'jsn.gz'"),
        ("gz", "say which, as in 'json.gz'"),
        ("gz.bz2", "say which, as in 'json.gz'"),
        (".gz", "no serializer is called '.gz'"),
        ("json.", "no layer is called ''"),
        ("by_suffix.gz", "chooses by key"),
        ("json" + ".gz" * 9, "no serializer is called 'json.gz"),
        ("json" + ".gz" * 100_000, "no serializer is called 'json.gz"),
    ],
)
def test_what_is_no_name(spec, message):
    with pytest.raises(InvalidArgumentError) as caught:
        get_serializer(spec)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_registered_name_with_a_dot_goes_first(monkeypatch):
    monkeypatch.setattr(serializers, "TABLE", dict(serializers.TABLE))
    serializers.register("my.gz", type(get_serializer("json")), suffix=".mine")
    assert get_serializer("my.gz") == get_serializer("json")
    assert get_serializer("my.gz.gz").dumps([1])[:2] == b"\x1f\x8b"


def test_one_table_names_everything():
    for name, entry in serializers.TABLE.items():
        cls = str(entry.target).partition(":")[2]
        assert cls in serializers.__all__, name
        assert entry.layer == hasattr(getattr(serializers, cls), "layer")
        if entry.layer:
            assert (name, entry.suffix) == (
                getattr(serializers, cls).layer,
                getattr(serializers, cls).ending,
            )


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_other_programs_wrote(pack):
    layer = {gzip: "gz", bz2: "bz2", lzma: "xz"}[sys.modules[pack.__module__.lstrip("_")]]
    made = get_serializer(f"text.{layer}")
    assert made.loads(pack(b"plain")) == "plain"
    assert made.loads(pack(b"pl") + pack(b"ain")) == "plain"  # members one after the other
    assert made.loads(made.dumps("")) == ""


def test_base64_with_line_ends():
    made = get_serializer("bytes.base64")
    assert made.loads(base64.encodebytes(b"x" * 100)) == b"x" * 100
    for wrong in (b"ab!d", b"abc", b"ab=="[:3]):
        with pytest.raises(CorruptValueError, match="not base64"):
            made.loads(wrong)


def test_zstd_frames_one_after_the_other():
    zstandard = pytest.importorskip("zstandard")
    made = get_serializer("text.zst")
    pack = zstandard.ZstdCompressor().compress
    assert made.loads(pack(b"pl") + pack(b"ain")) == "plain"
    stream = zstandard.ZstdCompressor().compressobj()
    assert made.loads(stream.compress(b"plain") + stream.flush()) == "plain"  # of unknown size


@pytest.mark.parametrize("layer", LAYERS)
def test_cut_and_changed_data_are_corrupt(layer, key):
    need(layer)
    made = get_serializer(f"bytes.{layer}")
    data = made.dumps(b"0123456789" * 20)
    for size in range(len(data)):
        if layer == "base64" and size % 4 == 0:
            continue  # a shorter text of the same kind: nothing tells
        with pytest.raises(CorruptValueError):
            made.loads(data[:size])
    if layer not in {"base64", "bz2"}:  # without a checksum; which bits of bzip2 are checked is its matter
        for at in range(len(data)):
            if layer == "gz" and 3 < at < 10:
                continue  # time and system, which say nothing of the data
            changed = bytearray(data)
            changed[at] ^= 1
            try:
                assert made.loads(bytes(changed)) == b"0123456789" * 20  # bits that mean nothing
                assert layer in {*COMPRESSED, "fernet"}
            except CorruptValueError:
                pass
    if layer not in {"bz2", "fernet"}:  # which pass over it, as bzip2 and Fernet themselves
        with pytest.raises(CorruptValueError):
            made.loads(data + b"?!")


@pytest.mark.parametrize("layer", COMPRESSED)
def test_what_data_unpack_to_is_bounded(layer):
    need(layer)
    cls = type(get_serializer(f"bytes.{layer}"))
    bomb = cls("bytes", max_size=None).dumps(bytes(10_000_000))
    assert len(bomb) < 100_000
    for bound, fits in ((10_000_000, True), (9_999_999, False), (1000, False)):
        made = cls("bytes", max_size=bound)
        if fits:
            assert made.loads(bomb) == bytes(10_000_000)
            assert made.dumps(bytes(10_000_000)) == bomb
        else:
            with pytest.raises(CorruptValueError, match=f"{bound} bytes of max_size"):
                made.loads(bomb)
            with pytest.raises(SerializationError, match="10000000 bytes"):
                made.dumps(bytes(10_000_000))
    assert get_serializer(f"bytes.{layer}").max_size == 1 << 30
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(InvalidArgumentError, match="max_size"):
            cls("bytes", max_size=wrong)
    for wrong in (-1, 99, True, "9"):
        with pytest.raises(InvalidArgumentError, match="level"):
            cls("bytes", wrong)


def test_a_bomb_takes_little_memory():
    """128 MiB of zeros in a few kilobytes are refused with little more than the bound in memory."""
    code = """
import resource, zlib
from holdall.serializers import GzipSerializer
pack = zlib.compressobj(1, wbits=31)
block = bytes(1 << 20)
bomb = b"".join(pack.compress(block) for _ in range(128)) + pack.flush()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    GzipSerializer("bytes", max_size=1 << 22).loads(bomb)
except Exception as error:
    print(type(error).__name__)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    name, grown = done.stdout.split()
    assert name == "CorruptValueError"
    assert int(grown) < 32


def test_refused_writes_leave_the_old_value(tmp_path):
    store = FileDirStore(tmp_path, serializer=GzipSerializer("text", max_size=10))
    store["a"] = "0123456789"
    with pytest.raises(SerializationError, match="max_size"):
        store["a"] = "0123456789a"
    assert store["a"] == "0123456789"


class Trap:
    def __reduce__(self):
        return (print, ("ran",))


def test_signed_pickles_may_lie_where_others_write(tmp_path, capsys):
    path = tmp_path / "s"
    made = HmacSerializer("pickle", key=KEY)
    assert made.executes_code is False
    assert get_serializer("pickle.gz").executes_code is True
    FileDirStore(path, serializer=made)["a"] = {1, 2}
    path.chmod(0o777)
    file = path / "a.pkl.signed"
    file.chmod(0o666)
    store = FileDirStore(path, serializer=made)
    assert store["a"] == {1, 2}
    trap = pickle.dumps(Trap())
    for forged in (trap, hashlib.sha256(trap).digest() + trap, hmac.digest(b"other", trap, "sha256") + trap):
        file.write_bytes(forged)
        with pytest.raises(CorruptValueError, match="not written with this key"):
            store["a"]
    assert "ran" not in capsys.readouterr().out
    FileDirStore(tmp_path / "plain", serializer="pickle.gz")["a"] = 1
    (tmp_path / "plain" / "a.pkl.gz").chmod(0o666)
    with pytest.raises(UntrustedStoreError):
        FileDirStore(tmp_path / "plain")["a"]


@pytest.mark.parametrize("layer", ["hmac", "aesgcm", "fernet"])
@pytest.mark.parametrize("place", ["files", "sqlite"])
def test_the_key_is_in_no_file_and_no_message(layer, place, tmp_path):
    need(layer)
    text = base64.urlsafe_b64encode(KEY).decode()
    make = FileDirStore if place == "files" else SQLiteStore
    made = getattr(serializers, serializers.TABLE[layer].target.rpartition(":")[2])
    store = make(tmp_path / "s", serializer=made("json", text))
    store["a"] = store["b"] = ["é"] * 100
    other = make(tmp_path / "s", serializer=made("json", base64.urlsafe_b64encode(bytes(32)).decode()))
    with pytest.raises(CorruptValueError) as caught:
        other["a"]
    shown = [repr(store), str(store.get_params()), str(caught.value)]
    store.close()
    other.close()
    shown += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(shown) > 3
    for secret in (text, KEY.decode("latin-1"), repr(KEY), KEY.hex()):
        assert not any(secret in text for text in shown)


@pytest.mark.parametrize("layer", ["hmac", "aesgcm", "fernet"])
def test_what_is_sealed_is_the_data_alone(layer, tmp_path, key):
    """As docs/security.md says: another value of the same key is taken for this one."""
    need(layer)
    store = FileDirStore(tmp_path, serializer=f"json.{layer}")
    store["a"], store["b"] = "one", "two"
    one, two = store.file_of("a"), store.file_of("b")
    with open(one, "rb") as first, open(two, "wb") as second:
        second.write(first.read())
    assert store["b"] == "one"
    assert (
        get_serializer(f"pickle.{layer}").loads(get_serializer(f"bytes.{layer}").dumps(pickle.dumps(1))) == 1
    )


@pytest.mark.parametrize("cls", [HmacSerializer, AesGcmSerializer, FernetSerializer])
def test_keys(cls, monkeypatch):
    need(cls.layer)
    text = base64.urlsafe_b64encode(KEY).decode()
    made = cls("json", text)
    data = made.dumps(["secret"])
    assert made.loads(data) == ["secret"]
    assert (b"secret" in data) == (cls is HmacSerializer)
    assert text not in repr(made)
    assert repr(KEY) not in repr(made)
    other = cls("json", base64.urlsafe_b64encode(bytes(32)).decode())
    assert made != other
    assert made == pickle.loads(pickle.dumps(made)) == cls("json", text)
    with pytest.raises(CorruptValueError, match="not written with this key"):
        other.loads(data)
    monkeypatch.delenv("HOLDALL_KEY", raising=False)
    with pytest.raises(UnsupportedError, match=f"needs a key: give {cls.__name__}.*HOLDALL_KEY"):
        get_serializer(f"json.{cls.layer}")
    monkeypatch.setenv("HOLDALL_KEY", text)
    by_name = get_serializer(f"json.{cls.layer}")
    assert by_name.loads(data) == ["secret"]
    assert text.encode() not in pickle.dumps(by_name)
    for wrong in ("short", "not base64!", b"short", 5, ""):
        if wrong == "":  # as if the variable were empty
            monkeypatch.delenv("HOLDALL_KEY")
        with pytest.raises((InvalidArgumentError, UnsupportedError), match="key"):
            cls("json", wrong)


def test_encryption_is_what_the_package_does():
    pytest.importorskip("cryptography")
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data = AesGcmSerializer("json", KEY).dumps([1])
    assert AESGCM(KEY).decrypt(data[:12], data[12:], None) == b"[1]"
    assert AesGcmSerializer("json", KEY).dumps([1]) != data  # a nonce of its own
    key = Fernet.generate_key()
    assert FernetSerializer("json", key).loads(Fernet(key).encrypt(b"[1]")) == [1]
    assert HmacSerializer("json", KEY).dumps([1]) == hmac.digest(KEY, b"[1]", "sha256") + b"[1]"


def test_a_missing_package_names_its_extra(monkeypatch):
    for module, layer, extra in (
        ("zstandard", "zst", "zstd"),
        ("lz4.frame", "lz4", "lz4"),
        ("cryptography", "aesgcm", "crypto"),
        ("cryptography.fernet", "fernet", "crypto"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setenv("HOLDALL_KEY", ENV_KEY)
        with pytest.raises(UnsupportedError, match=rf"holdall\[{extra}\]"):
            get_serializer(f"json.{layer}")


def test_suffixes_of_layers(tmp_path):
    assert serializer_for_suffix(".json.gz") == get_serializer("json.gz")
    assert serializer_for_suffix("TXT.XZ") == get_serializer("text.xz")
    for wrong in (".gz", ".nothing.gz", "gz"):
        with pytest.raises(InvalidArgumentError, match="no serializer writes"):
            serializer_for_suffix(wrong)
    store = FileDirStore(tmp_path, serializer=by_suffix())
    for ending, magic in {"gz": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ"}.items():
        store[f"a.json.{ending}"] = [1]
        assert (tmp_path / f"a.json.{ending}").read_bytes().startswith(magic)
        assert store[f"a.json.{ending}"] == [1]
        store[f"a.tar.{ending}"] = b"as it is"  # no format of ours below
        assert store[f"a.tar.{ending}"] == b"as it is"


def test_pairs_of_functions(tmp_path):
    store = FileDirStore(
        tmp_path, serializer=by_suffix({".hex": (bytes.hex, bytes.fromhex), ".n": (str, int)})
    )
    store["a.hex"], store["a.n"], store["a.n.gz"] = b"kept", 7, 8
    assert (tmp_path / "a.hex").read_bytes() == b"6b657074"
    assert (store["a.hex"], store["a.n"], store["a.n.gz"]) == (b"kept", 7, 8)
    again = FileDirStore(tmp_path, serializer=pickle.loads(pickle.dumps(store.serializer)))
    assert (again["a.hex"], again["a.n"]) == (b"kept", 7)
    assert BySuffix({".n": (str, int)}) == BySuffix({".n": (str, int)}) != BySuffix({".n": (str, float)})
    plain = Store({}, serializer=(json.dumps, json.loads))
    plain["a"] = [1]
    assert plain["a"] == [1]
    with pytest.raises(InvalidArgumentError):
        get_serializer((str,))
    with pytest.raises(InvalidArgumentError):
        get_serializer((str, 5))


def test_importing_a_layer_imports_no_other_package():
    code = "import sys, holdall.serializers as s; s.get_serializer('json.gz'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"zstandard", "lz4", "cryptography"}.isdisjoint(done.stdout.split())
