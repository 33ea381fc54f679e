"""What file systems of fsspec are asked for beyond the contracts."""

import contextlib
import ftplib
import operator
import os
import pickle
import re
import socket
import threading
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

import holdall
from engines import _file_servers
from engines._dropping import Silent
from holdall import FsspecStore, UnsupportedError
from holdall.conditional import ETAG_IS_THE_SAME
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    ReadOnlyError,
    StoreFullError,
    StoreUnavailableError,
    UntrustedStoreError,
)
from holdall.keys import Template
from holdall.persisters.fsspec import FsspecPersister
from holdall.persisters.fsspec._system import time_of, version_of


@pytest.fixture(params=["memory", "file", "ftp", "sftp"])
def url(request, tmp_path):
    if request.param == "memory":
        return f"memory://{uuid.uuid4()}"
    if request.param == "file":
        return f"file://{tmp_path}/store"
    return f"{request.getfixturevalue(request.param + '_url')}/{uuid.uuid4()}"


def test_what_one_writes_another_client_sees_at_once(url):
    one, other = FsspecStore(url), FsspecStore(url)
    assert "a/b" not in other
    assert list(other) == []
    one["a/b"] = "short"
    assert (other["a/b"], list(other), "a/b" in other) == ("short", ["a/b"], True)
    one["a/b"] = "a longer value"
    assert other["a/b"] == "a longer value"
    etag = other.etag("a/b")
    one["a/b"] = "a longer VALUE"
    assert other.etag("a/b") != etag
    assert other.pop("a/b") == "a longer VALUE"
    assert list(one) == []
    assert one.get("a/b") is None


def test_a_store_is_a_dict_but_for_conditions(url):
    store = FsspecStore(url, keys="{year:d}/{name}.json")
    store.update({(2024, "x"): 1, (2025, "y"): 2})
    assert dict(store.items()) == {(2024, "x"): 1, (2025, "y"): 2}
    assert store.setdefault((2025, "z"), 3) == store.setdefault((2025, "z"), 4) == 3
    assert len(pickle.loads(pickle.dumps(store))) == 3
    assert set(store.newest_keys(2)) <= set(store)
    store.discard((2025, "z"))
    for refused in (
        lambda: store.transform_item((2024, "x"), lambda n: n + 1),
        lambda: store.increment((2024, "x")),
        lambda: store.set_item_if((2024, "x"), value=1, condition=ETAG_IS_THE_SAME, expected_etag="e"),
    ):
        with pytest.raises(UnsupportedError, match="has no compare-and-swap"):
            refused()
    store.clear()
    assert len(store) == 0


@pytest.mark.parametrize("kind", ["file", "ftp", "sftp"])
def test_readers_see_whole_values_and_nothing_unfinished(kind, tmp_path, request):
    root = f"file://{tmp_path}" if kind == "file" else request.getfixturevalue(f"{kind}_url")
    url = f"{root}/{uuid.uuid4()}"
    writer, reader = FsspecStore(url, serializer="bytes"), FsspecStore(url, serializer="bytes")
    size = 50_000 if kind == "sftp" else 300_000  # the server of these tests writes 1 MB a second
    writer["x"] = b"0" * size
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            value = reader["x"]
            seen.add((len(value), len(set(value))))
            assert list(reader) == ["x"]

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 12):
        writer["x"] = str(number % 10).encode() * size
    stop.set()
    thread.join(60)
    assert seen == {(size, 1)}


def test_what_a_killed_writer_left_is_swept_by_who_lists_later(tmp_path):
    store = FsspecStore(f"file://{tmp_path}", serializer="bytes")
    store["sub/a"] = b"1"
    for name, age in (("sub/.holdall-old", 7200), ("sub/.holdall-new", 10)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert list(store) == ["sub/a"]
    assert sorted(os.listdir(tmp_path / "sub")) == [".holdall-new", "a"]


def test_a_failed_write_leaves_the_old_value_and_no_trace(tmp_path, monkeypatch):
    store = FsspecStore(f"file://{tmp_path}", serializer="bytes")
    store["a"] = b"old"

    def fails(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(StoreFullError, match=r"'a' cannot be written: .*No space left"):
        store["a"] = b"new"
    assert (store["a"], os.listdir(tmp_path)) == (b"old", ["a"])


def test_a_folder_that_was_deleted_is_made_again(tmp_path):
    store = FsspecStore(f"file://{tmp_path}/deep/er")
    store["a/b"] = 1
    os.rename(tmp_path / "deep", tmp_path / "gone")
    store["a/b"] = 2
    assert dict(store) == {"a/b": 2}


def test_a_folder_is_never_taken_for_a_file(url):
    if url.startswith("memory"):
        pytest.skip("it has files and folders of one name")
    store = FsspecStore(url, serializer="bytes")
    store.update({"a/b": b"1", "c": b"2"})
    # Servers do not tell why they refuse.
    error = InvalidKeyError if url.startswith("file") else (InvalidKeyError, StoreUnavailableError)
    for key in ("a", "c/d"):
        with pytest.raises(error):
            store[key] = b"3"
        assert key not in store
    assert dict(store) == {"a/b": b"1", "c": b"2"}
    store["a/b"] = b"4"
    assert store["a/b"] == b"4"


def test_the_top_of_a_file_system_and_roundabout_paths_name_what_they_say(tmp_path):
    store = FsspecStore(f"file://{tmp_path}/store")
    store["a/b"] = 1
    below = f"{tmp_path}/store"[1:]
    top = FsspecStore("file:///")
    assert top[f"{below}/a/b"] == 1
    assert list(top.get_subdict(below)) == ["a/b"]
    top[f"{below}/a/c"] = 2
    (tmp_path / "link").symlink_to(tmp_path / "store")
    for path in ("store/../store", "link", "store//", "link/../store/."):
        assert dict(FsspecStore(f"file://{tmp_path}/{path}")) == {"a/b": 1, "a/c": 2}


@pytest.mark.parametrize(
    ("kind", "id"),
    [
        ("ftp", "a\nb"),
        ("ftp", "a\rb"),
        ("ftp", "\ud800"),
        ("sftp", "\ud800"),
        ("file", "\ud800"),
        ("file", "n" * 256),
    ],
)
def test_what_the_file_system_cannot_name_is_no_key(kind, id, tmp_path, request):
    root = f"file://{tmp_path}" if kind == "file" else request.getfixturevalue(f"{kind}_url")
    place = FsspecPersister(f"{root}/{uuid.uuid4()}")
    place["fine"] = b"1"
    for wrong in (id, f"folder/{id}"):
        assert wrong not in place
        for use in (place.__getitem__, place.stat, place.read, place.__delitem__):
            with pytest.raises(KeyError):
                use(wrong)
        for _ in range(2):  # also in a folder that is known
            with pytest.raises(InvalidKeyError, match="cannot be the name of a file"):
                place[wrong] = b"2"
        assert list(place.ids(f"{wrong}/")) == []
    assert list(place) == ["fine"]
    place.close()


def test_names_lead_nowhere(tmp_path):
    place = FsspecPersister(f"file://{tmp_path}/store")
    for bad in ("../x", "/x", "a//b", "", ".", "x/..", "nul\0", ".holdall-x", 5):
        with pytest.raises(InvalidKeyError):
            place[bad] = b"1"
        with pytest.raises(KeyError):
            place[bad]
        assert bad not in place
    assert list(place) == []


def test_web_pages_are_read(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "sub" / "b.json").write_text("[2]")
    with _file_servers.web(tmp_path) as root:
        store = FsspecStore(root)
        assert store["sub/b"] == [2]
        assert dict(store.items()) == {"a": [1], "sub/b": [2]}
        assert "sub/c" not in store
        with pytest.raises(KeyError):
            store["sub/c"]
        with pytest.raises(ReadOnlyError, match="only be read"):
            store["a"] = 1
        with pytest.raises(ReadOnlyError):
            del store["a"]
        assert holdall.open(root)["a"] == [1]
    for failing, said in (
        (lambda: store["a"], r"'a\.json' cannot be read"),
        (lambda: "a" in store, r"'a\.json' cannot be looked for"),
        (lambda: store.etag("a"), r"'a\.json' cannot be looked at"),
        (lambda: list(store), "cannot be listed"),
    ):
        with pytest.raises(StoreUnavailableError, match=said):
            failing()


@pytest.mark.parametrize("kind", ["file", "ftp", "sftp"])
def test_a_failure_is_no_absence(kind, tmp_path, request, monkeypatch):
    root = f"file://{tmp_path}" if kind == "file" else request.getfixturevalue(f"{kind}_url")
    store = FsspecStore(f"{root}/{uuid.uuid4()}")
    store.update({"a/b": 1, "c": 2})
    system = store.pipeline.persister._files._system

    def failing(verb):
        usual = getattr(system, verb)

        def method(path, *args, **kwargs):
            if str(path).rstrip("/").endswith(("/a", "c.json")):
                raise PermissionError(13, "denied")
            return usual(path, *args, **kwargs)

        return method

    monkeypatch.setattr(system, "ls", failing("ls"))
    with pytest.raises(StoreUnavailableError, match=r"cannot be listed: .*denied"):
        list(store)
    monkeypatch.undo()
    monkeypatch.setattr(system, "info", failing("info"))
    with pytest.raises(StoreUnavailableError, match=r"cannot be looked for: .*denied"):
        "c" in store  # noqa: B015


def test_archives_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a.json", "[1]")
    store = FsspecStore(f"zip://x::file://{tmp_path}/a.zip")
    assert dict(store) == {"a": [1]}
    with pytest.raises(ReadOnlyError):
        store["b"] = 1


def test_pickles_of_others_are_refused(sftp_url):
    url = f"{sftp_url}/{uuid.uuid4()}"
    FsspecStore(url, serializer="pickle")["a"] = {1}
    with pytest.raises(UntrustedStoreError, match="could run code"):
        FsspecStore(url, serializer="pickle")["a"]
    assert FsspecStore(url, serializer="pickle", trust=True)["a"] == {1}
    mixed = FsspecStore(url, serializer="by_suffix")
    mixed["b.json"] = [1]
    assert mixed["b.json"] == [1]
    with pytest.raises(UntrustedStoreError):
        mixed["a.pkl"]
    assert FsspecStore("memory://pickles", serializer="pickle").setdefault("a", {1}) == {1}


def test_a_lost_connection_is_opened_again(ftp_url):
    store = FsspecStore(f"{ftp_url}/{uuid.uuid4()}")
    store["a"] = 1
    store.pipeline.persister._files._system.ftp.sock.shutdown(socket.SHUT_RDWR)
    assert store["a"] == 1
    store.pipeline.persister._files._system.ftp.sock.close()
    store["a"] = 2
    assert dict(store) == {"a": 2}


def test_a_deletion_whose_answer_was_lost_is_one(ftp_url, monkeypatch):
    store = FsspecStore(f"{ftp_url}/{uuid.uuid4()}")
    store.update(a=1, b=2)
    kind = type(store.pipeline.persister._files._system)
    delete, lost = kind.rm_file, [EOFError()]

    def answer_lost(system, path):
        delete(system, path)
        if lost:
            raise lost.pop()

    monkeypatch.setattr(kind, "rm_file", answer_lost)
    del store["a"]
    assert dict(store) == {"b": 2}
    lost.append(EOFError())
    assert store.discard("b")
    with pytest.raises(KeyError):
        del store["b"]


def test_a_store_that_is_closed_or_dropped_ends_its_connection(sftp_url):
    before = set(threading.enumerate())

    def its_thread():
        [thread] = [thread for thread in threading.enumerate() if thread not in before]
        return thread

    def ended(thread):
        thread.join(20)
        return not thread.is_alive()

    store = FsspecStore(f"{sftp_url}/ended", serializer="json")
    store["a"] = 1
    for _ in range(2):
        thread = its_thread()
        store.close()
        assert ended(thread)
        assert store["a"] == 1
    thread = its_thread()
    del store
    assert ended(thread)


def test_a_closed_store_ends_the_connection_of_ftp_and_the_file_of_an_archive(tmp_path, ftp_url):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", "1")
    for url, what in ((f"{ftp_url}/", "ftp.sock"), (f"zip://::file://{tmp_path}/x.zip", "zip.fp")):
        with FsspecStore(url, serializer="text") as store:
            list(store)
            held = operator.attrgetter(what)
            system = store.pipeline.persister._files._system
            assert held(system) is not None
        assert held(system) is None
        list(store)
        store.close()


@pytest.mark.parametrize("kind", ["ftp", "web"])
def test_a_listing_says_that_its_server_is_gone(kind, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("1")
    with getattr(_file_servers, kind)(tmp_path) as root:
        store = FsspecStore(f"{root}/a", serializer="text")
        assert list(store) == ["b"]
    listings = (lambda: list(store), lambda: len(store), lambda: dict(store.items()))
    for use in (*listings, lambda: "b" in store, lambda: store["b"], lambda: store.etag("b")):
        with pytest.raises(StoreUnavailableError):
            use()
    store.close()


@pytest.mark.parametrize("kind", ["ftp", "sftp", "web"])
def test_a_server_that_never_answers_is_not_waited_for_without_end(kind, tmp_path):
    with getattr(_file_servers, kind)(tmp_path) as root, Silent(_port(root), silent=True) as proxy:
        silent = root.replace(f"127.0.0.1:{_port(root)}", str(proxy))
        for use in (lambda store: store["a"], list, lambda store: "a" in store):
            with pytest.raises(StoreUnavailableError), FsspecStore(silent, timeout=0.1) as store:
                use(store)


@pytest.mark.parametrize("kind", ["ftp", "sftp"])
def test_a_server_that_falls_silent_is_not_waited_for_without_end(kind, tmp_path):
    with getattr(_file_servers, kind)(tmp_path) as root, Silent(_port(root), silent=False) as proxy:
        with FsspecStore(root.replace(f"127.0.0.1:{_port(root)}", str(proxy)), serializer="text") as store:
            store["a"] = "1"
            files = store.pipeline.persister._files
            connection = files._system.ftp
            limited = connection.sock if kind == "ftp" else connection.get_channel()
            assert limited.gettimeout() == 60
            proxy.silent = True
            limited.settimeout(0.1)
            files.options["timeout"] = 0.1  # of the connection that it tries then
            with pytest.raises(StoreUnavailableError):
                store["a"]
            proxy.silent = False
            files.options["timeout"] = 60
            store.close()
            assert store["a"] == "1"


def test_pages_that_never_come_are_waited_for_as_long_as_is_said(tmp_path):
    with _file_servers.web(tmp_path) as root:
        limits = []
        for options in ({}, {"timeout": 5}, {"client_kwargs": {"timeout": aiohttp.ClientTimeout(7)}}):
            with FsspecStore(root, **options) as store, contextlib.suppress(KeyError):
                store["a"]
            limit = store.pipeline.persister._files._system._session.timeout
            limits.append((limit.total, limit.sock_read))
    assert limits == [(None, 60), (None, 5), (7, None)]


def _port(url):
    return int(re.search(r":(\d+)$", url)[1])


def test_an_answer_that_breaks_off_over_ftp_does_not_make_an_item_absent(ftp_url, monkeypatch):
    with FsspecStore(f"{ftp_url}/{uuid.uuid4()}", serializer="text") as store:
        store["a"] = "1"
        ftp = type(store.pipeline.persister._files._system.ftp)
        whole = ftp.mlsd

        def breaks(self, *args):
            if fails:
                raise ftplib.error_temp(fails.pop())
            return whole(self, *args)

        monkeypatch.setattr(ftp, "mlsd", breaks)
        for use in (lambda: "a" in store, lambda: store.etag("a")):
            fails = ["425 can't open data connection"]
            assert use()
            fails = ["425 can't open data connection"] * 50
            with pytest.raises(StoreUnavailableError):
                use()
        fails.clear()
        with pytest.raises(ConnectionError) as lost:
            socket.create_connection(("127.0.0.1", 1))
        try:
            raise lost.value
        except ConnectionError:  # has nothing to do with what is asked here
            assert "b" not in store


def test_an_error_of_a_web_server_does_not_make_a_page_absent(tmp_path, monkeypatch):
    with _file_servers.web(tmp_path) as root:
        store = FsspecStore(root, serializer="text")
        assert "a" not in store
        monkeypatch.setattr(_file_servers._Quiet, "send_head", lambda self: self.send_error(500))
        for use in (lambda: "a" in store, lambda: store["a"], lambda: list(store)):
            with pytest.raises(StoreUnavailableError, match="500"):
                use()


def test_a_listing_leaves_out_no_folder_that_it_cannot_read(tmp_path, monkeypatch):
    place = FsspecPersister(f"file://{tmp_path}/store")
    for id in ("a/1", "b/2", "b/c/3", "4"):
        place[id] = b""
    os.symlink(".", tmp_path / "store" / "b" / "loop")
    system = place._files._system
    whole, wrong = system.ls, PermissionError(13, "Permission denied")

    def lists(path, **options):
        if path.endswith("/c"):
            raise wrong
        return whole(path, **options)

    monkeypatch.setattr(system, "ls", lists)
    with pytest.raises(StoreUnavailableError, match="Permission denied"):
        list(place)
    assert list(place.ids("a/")) == ["a/1"]
    wrong = FileNotFoundError(2, "deleted meanwhile")
    assert [id for id in place if "loop" not in id] == ["4", "a/1", "b/2"]


def test_a_listing_over_ftp_that_breaks_off_is_made_again(ftp_url, monkeypatch):
    with FsspecStore(f"{ftp_url}/{uuid.uuid4()}", serializer="text") as store:
        store["a"] = "1"
        ftp = type(store.pipeline.persister._files._system.ftp)
        whole = ftp.mlsd

        def breaks(self, *args):
            yield from whole(self, *args)
            if fails:
                raise ftplib.error_temp(fails.pop())

        monkeypatch.setattr(ftp, "mlsd", breaks)
        fails = ["426 transfer aborted"]
        assert list(store) == ["a"]
        fails = ["426 transfer aborted"] * 20
        with pytest.raises(StoreUnavailableError):
            list(store)
        fails.clear()
        assert list(store) == ["a"]
        assert list(store.pipeline.persister.ids("no/such/folder")) == []


def test_addresses(tmp_path, ftp_url):
    assert isinstance(holdall.open(f"{ftp_url}/x"), FsspecStore)
    store = holdall.open("fsspec:memory://addressed?serializer=text")
    store["a"] = "x"
    assert dict(FsspecStore("memory://addressed", serializer="text")) == {"a": "x"}
    assert "secret" not in repr(holdall.open(f"{ftp_url}/x").pipeline.persister.place)


def test_what_cannot_be_opened_says_why(tmp_path, ftp_url):
    for wrong in ("no url", 5, "nonsense://x/y"):
        with pytest.raises(InvalidArgumentError):
            FsspecStore(wrong)
    with pytest.raises(
        UnsupportedError, match=r"dropbox://x needs a package that is not installed: .*dropbox"
    ):
        FsspecStore("dropbox://x", token="t")
    with pytest.raises(StoreUnavailableError, match=r"ftp://user:\*\*\*@127.0.0.1.* cannot be reached"):
        FsspecStore(f"ftp://user:wrong@127.0.0.1:{_port(ftp_url)}/x")
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        FsspecStore("ftp://user:secret@127.0.0.1:1/x")
    with pytest.raises(InvalidArgumentError, match="no parts"):
        holdall.open("sftp://h/x#part")
    with pytest.raises(InvalidArgumentError, match="serializer"):
        FsspecPersister("memory://t").put("a", "text")


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"mtime": 5.5}, 5.5),
        ({"modify": "20240229120000"}, 1709208000.0),
        ({"modify": "20240229120000.25"}, 1709208000.25),
        ({"LastModified": "2024-02-29T12:00:00Z"}, 1709208000.0),
        ({"updated": "2024-02-29T13:00:00+01:00"}, 1709208000.0),
        ({"modify": "yesterday"}, None),
        ({}, None),
    ],
)
def test_times_come_in_many_forms(info, expected):
    assert time_of(info) == expected


def test_versions_come_in_many_forms():
    assert version_of({"ETag": '"abc"'}) == "abc"
    assert version_of({"generation": 5, "mtime": 1}) == "5"
    assert version_of({"ino": 7, "mtime": 1.5, "size": 3}) == "7-1.5-3"
    assert version_of({"mtime": 1.5, "size": 3}) is None


def test_templates_name_files(tmp_path):
    store = FsspecStore(f"file://{tmp_path}", serializer="text", keys=Template("{a}-{n:03d}.txt"))
    store["x", 7] = "seven"
    assert os.listdir(tmp_path) == ["x-007.txt"]


def test_the_one_memory_of_a_process_is_not_listed_while_another_store_writes():
    one, other = (FsspecPersister(f"memory://turns{number}")._files for number in range(2))

    def taken():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(other._turn.acquire, blocking=False).result()

    assert one.run("", lambda _: taken()) is False
