"""The page over a store: who is answered, what is shown, and that nothing that is stored runs."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import numpy as np
import pandas as pd
import pytest

from holdall import FileDirStore, MemoryStore, SQLiteStore, Store
from holdall.cli import main
from holdall.serve import ViewServer
from holdall.serve import _pages as pages
from holdall.serve._html import Markup, element

PNG = b"\x89PNG\r\n\x1a\n and so on"
EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


class Client:
    """Asks a server as a browser would, and as others might."""

    def __init__(self, server):
        self.server = server

    def ask(self, path, *, method="GET", hosts=None, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        try:
            path = path if path.startswith("/") else f"/{token or self.server.token}/{path}"
            connection.putrequest(method, path, skip_host=True)
            for host in [self.server.host] if hosts is None else hosts:
                connection.putheader("Host", host)
            connection.endheaders()
            response = connection.getresponse()
            response.body = response.read()
            return response
        finally:
            connection.close()

    def page(self, path, status=200):
        response = self.ask(path)
        assert response.status == status, response.body
        check_page(response)
        return response.body.decode()

    def item(self, word, status=200):
        return self.page("item?" + urlencode({"key": word}, errors="surrogatepass"), status)


class Tags(HTMLParser):
    """Collects the names of elements and attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.links = set(), set(), "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value for name, value in attrs if name in {"href", "src", "action"}]

    def handle_data(self, data):
        self.text += data


def check_page(response):
    """No page has a script, a handler, or a link to anywhere else."""
    tags = Tags(response.body.decode())
    assert tags.tags <= {
        *(
            "html",
            "head",
            "meta",
            "title",
            "link",
            "body",
            "header",
            "h1",
            "h2",
            "a",
            "form",
            "input",
            "button",
        ),
        *("main", "table", "tr", "th", "td", "p", "pre", "div", "img"),
    }
    assert not any(name.startswith("on") or name == "style" for name in tags.attributes)
    assert all(re.fullmatch(r"(style\.css|\./|item\?.*|image\?.*|\?.*)", link) for link in tags.links)
    policy = response.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy


@pytest.fixture
def serve():
    servers = []

    def start(store):
        server = ViewServer(store)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return Client(server)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client(serve):
    return serve(MemoryStore({"a": 1, "secret": "hidden"}))


# ---------------------------------------------------------------------- who is answered


def test_it_listens_on_loopback_alone(client):
    assert client.server.socket.getsockname()[0] == "127.0.0.1"
    assert client.server.url == f"http://127.0.0.1:{client.server.server_port}/{client.server.token}/"


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["evil.example"],
        ["evil.example:{port}"],
        ["localhost:{port}"],
        ["127.0.0.1"],
        ["127.0.0.1:1"],
        ["127.0.0.1:{port}.evil.example"],
        ["127.0.0.1:{port}", "evil.example"],
        ["evil.example", "127.0.0.1:{port}"],
        ["127.0.0.1:{port}", "127.0.0.1:{port}"],
        [""],
        ["[::1]:{port}"],
    ],
)
def test_no_other_host_is_answered(client, hosts):
    response = client.ask("", hosts=[host.format(port=client.server.server_port) for host in hosts])
    assert response.status == 403
    assert b"secret" not in response.body


def test_without_the_token_nothing_is_told(client):
    token = client.server.token
    other = ViewServer(MemoryStore())
    other.server_close()
    assert other.token != token
    assert len(token) >= 43
    wrong = [
        *("/", "/x/", f"/{other.token}/", f"/{token}", f"/{token[:-1]}/", f"/{token}x/"),
        *(
            f"/{token.swapcase()}/",
            f"/x/{token}/",
            f"/?{token}/",
            f"/{token[:-1]}{quote('é')}/",
            f"/%{token}/",
        ),
        f"http://127.0.0.1:{client.server.server_port}/{token}/",
    ]
    answers = {(response.status, response.body) for response in map(client.ask, wrong)}
    assert answers == {(404, b"404 Not Found\n")}
    assert client.ask("").status == 200


def test_what_is_no_reading_is_refused(client):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "<script>alert(1)</script>"):
        response = client.ask("", method=method)
        assert response.status == 501
        assert response.getheader("Content-Type").startswith("text/plain")
        assert b"<" not in response.body
    head = client.ask("", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.getheader("Content-Length")) == len(client.ask("").body)


def test_requests_that_make_no_sense(client):
    for sent in (
        b"\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 70_000,
        b"\x00\xff\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", client.server.server_port), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while part := connection.recv(4096):
                received += part
        assert b"hidden" not in received
        assert b"<" not in received
    assert client.ask("").status == 200


def test_headers(client):
    for path in ("", "item?key=a", "style.css", "nothing", "image?key=a"):
        response = client.ask(path)
        assert response.getheader("X-Content-Type-Options") == "nosniff"
        assert response.getheader("Referrer-Policy") == "no-referrer"
        assert response.getheader("Cache-Control") == "no-store"
        assert response.getheader("X-Frame-Options") == "DENY"
        assert response.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        assert "default-src 'none'" in response.getheader("Content-Security-Policy")
        assert "frame-ancestors 'none'" in response.getheader("Content-Security-Policy")
        assert response.getheader("Access-Control-Allow-Origin") is None
        assert response.getheader("Server").strip() == "holdall"


# ---------------------------------------------------------------------- what is shown


def test_listing_and_search(serve, monkeypatch):
    store = FileDirStore(serializer="json")
    store.update({f"run/{number:02}": number for number in range(25)})
    store["Other"] = "x" * 2000
    client = serve(store)
    page = client.page("")
    assert page.count("<tr>") == 27
    assert 'href="item?key=run%2F07"' in page
    assert "2.0 kB" in page
    assert client.page("?q=OTHE").count("<tr>") == 2
    assert client.page("?q=*/1[01]").count("<tr>") == 3
    assert "Nothing found" in client.page("?q=zzz")
    assert 'value="&lt;&quot;"' in client.page("?" + urlencode({"q": '<"'}))
    monkeypatch.setattr(pages, "_PAGE", 10)
    seen, path = [], ""
    while path is not None:
        page = client.page(path)
        seen += re.findall(r'href="item\?key=([^"]+)"', page)
        more = re.search(r'<a href="(\?[^"]+)">more', page)
        path = more and more[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 26
    for wrong in ("?start=-1", "?start=x", "?start=" + "9" * 99, "?start=²"):
        assert client.ask(quote(wrong, safe="?=")).status == 404
    assert client.page("?start=99").count("<tr>") == 0


def test_a_search_is_cut_short_and_goes_on(serve, monkeypatch):
    monkeypatch.setattr(pages, "_SECONDS", 0)
    client = serve(MemoryStore(dict.fromkeys("abc")))
    assert 'start=1"' in client.page("?q=c")
    assert 'start=2"' in client.page("?q=c&start=1")
    assert "item?key=c" in client.page("?q=c&start=2")


def test_keys_of_any_type_lead_to_their_items(serve):
    keys = ["a b", "é", 1, ("x", 2), "!", "", "a/b?c=d&e#f%41", "\x1b[2J", "\ud800", "../..", EVIL]
    client = serve(MemoryStore({key: f"value {number}" for number, key in enumerate(keys)} | {b"": 1}))
    links = re.findall(r'href="(item\?[^"]+)"', client.page(""))
    shown = "".join(client.page(link.replace("&amp;", "&")) for link in links)
    assert all(f"value {number}" in shown for number in range(len(keys)))
    assert "\x1b" not in client.page("")
    for absent in ("nothing", "!x", "!('x', 3)", "!['x']"):
        assert "no such item" in client.item(absent, 404)
    assert client.ask("item").status in {200, 404}
    assert client.ask("item?key=%FF").status == 404


def test_nothing_stored_becomes_html(serve):
    store = SQLiteStore(serializer="json")
    store.update({EVIL: EVIL, "list": [EVIL], "dict": {EVIL: EVIL}})
    client = serve(store)
    for page in (client.page(""), client.item(EVIL), client.item("list"), client.item("dict")):
        assert "&lt;script&gt;" in page
    for query in (EVIL, "'\"><svg onload=alert(1)>"):
        client.page("?" + urlencode({"q": query}))
        client.item(query, 200 if query == EVIL else 404)
    assert "<b>" not in element("b", "<b>", element("i", "<b>"))[3:]
    assert element("a", href='"<') == '<a href="&quot;&lt;"></a>'
    assert type(element("p", "x")) is Markup


def test_text_and_json(serve):
    client = serve(
        MemoryStore({"t": "a\nb", "j": {"x": [1, None]}, "long": "é" * 300_000, "s": {1}, "b": b"hi"})
    )
    assert "<pre>a\nb</pre>" in client.item("t")
    assert "&quot;x&quot;: [\n    1,\n    null\n  ]" in client.item("j")
    assert "100,000 characters more" in client.item("long")
    assert "<pre>{1}</pre>" in client.item("s")
    assert "<pre>hi</pre>" in client.item("b")


def test_bytes(serve):
    client = serve(MemoryStore({"b": b"\x00\xff<b>" * 2000}))
    page = client.item("b")
    assert "00000000  00 ff 3c 62 3e" in page
    assert "5,904 bytes more" in page


def test_arrays_and_tables(serve):
    values = {
        "matrix": np.arange(6.0).reshape(2, 3),
        "cube": np.zeros((2, 70, 30)),
        "line": np.array([EVIL, "b"]),
        "point": np.array(7),
        "none": np.zeros((0, 3)),
        "record": np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
        "number": np.float64(0.5),
        "frame": pd.DataFrame({EVIL: [1, 2], "y": ["p", EVIL]}),
        "column": pd.Series([1, 2], name="z"),
        "parts": {"first": np.arange(2), "second": "text"},
    }
    client = serve(MemoryStore(values))
    page = client.item("matrix")
    assert "float64, 2 x 3" in page
    assert page.count('<td class="number">') == 6
    assert client.item("cube").count('<td class="number">') == 50 * 20
    assert "[0, :, :] of it" in client.item("cube")
    assert "&lt;script&gt;" in client.item("line")
    assert "<pre>7</pre>" in client.item("point")
    assert "float64, 0 x 3" in client.item("none")
    assert "2.5" in client.item("record")
    assert "0.5" in client.item("number")
    assert "2 rows, 2 columns" in client.item("frame")
    assert "&lt;script&gt;" in client.item("frame")
    assert "2 rows, 1 columns" in client.item("column")
    assert "<h2>first</h2>" in client.item("parts")


def test_images_are_told_by_their_content_and_shown_as_such_alone(serve):
    others = {
        "page.png": b"<html><script>alert(1)</script>",
        "drawing": b"<svg onload='alert(1)'/>",
        "t": b"text",
    }
    images = {
        "a.png": PNG,
        "b": b"\xff\xd8\xff\xe0 jpeg",
        "c": b"GIF89a...",
        "d.html": b"RIFF\0\0\0\0WEBPVP8 ",
    }
    for store in (
        FileDirStore(serializer="bytes"),
        MemoryStore(),
        SQLiteStore(serializer="bytes.gz"),
    ):
        store.update({**images, **others})
        client = serve(store)
        kinds = {}
        for key, data in images.items():
            assert f'<img src="image?key={key}"' in client.item(key)
            response = client.ask("image?key=" + key)
            assert (response.status, response.body) == (200, data)
            kinds[key] = response.getheader("Content-Type")
            assert "sandbox" in response.getheader("Content-Security-Policy")
        assert list(kinds.values()) == ["image/png", "image/jpeg", "image/gif", "image/webp"]
        for key in (*others, "absent"):
            assert client.ask("image?key=" + key).status == 404
        assert "<img" not in client.item("page.png")


def test_an_image_is_shown_as_it_lies_in_any_format(serve):
    pillow = pytest.importorskip("PIL.Image")
    store = FileDirStore(serializer="image")
    store["dot"] = pillow.new("RGB", (2, 2), "red")
    client = serve(store)
    assert "<img" in client.item("dot")
    assert client.ask("image?key=dot").body.startswith(PNG[:8])


def test_values_that_are_too_large_are_not_read(serve, monkeypatch):
    monkeypatch.setattr(pages, "_LARGEST", 1000)
    store = FileDirStore(serializer="bytes")
    store["large"] = PNG + bytes(1000)
    client = serve(store)
    assert "are not read" in client.item("large")
    assert client.ask("image?key=large").status == 404


def test_errors_are_shown_as_text(serve):
    class Broken:
        def __repr__(self):
            raise RuntimeError(EVIL)

    client = serve(MemoryStore({"a": Broken(), "b": 1}))
    assert "RuntimeError: &lt;script&gt;" in client.item("a", 500)
    assert "<pre>1</pre>" in client.item("b")
    folder = FileDirStore(serializer="json")
    folder["a"] = 1
    with open(folder.file_of("a"), "w") as file:
        file.write("{<b>")
    assert "JSON" in serve(folder).item("a")


def test_a_place_that_is_not_at_hand_is_listed_in_one_go(serve):
    class Far(dict):
        def __getitem__(self, key):
            return super().__getitem__(key)

    client = serve(Store(Far(a=b"1", b=b"2"), serializer="json"))
    assert client.page("").count("<tr>") == 3
    assert "<pre>2</pre>" in client.item("b")


def test_many_at_once(serve):
    store = SQLiteStore(serializer="json")
    store.update({str(number): number for number in range(50)})
    client = serve(store)
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(f"<pre>{n}</pre>" in client.item(str(n))))
        for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 40


# ---------------------------------------------------------------------- trust


class Trap:
    """Leaves a file where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickles_that_others_could_have_written_are_not_loaded(serve, tmp_path):
    store = FileDirStore(tmp_path / "models", serializer="pickle")
    store["trap"] = Trap(str(tmp_path / "sprung"))
    os.chmod(store.file_of("trap"), 0o666)
    client = serve(FileDirStore(tmp_path / "models", serializer="pickle", read_only=True))
    assert "give --trust" in client.item("trap")
    client.page("")
    client.page("?q=trap")
    assert client.ask("image?key=trap").status == 404
    assert not (tmp_path / "sprung").exists()


# ---------------------------------------------------------------------- the command


def test_the_command(tmp_path):
    FileDirStore(tmp_path / "notes", serializer="json")["a"] = [1]
    # A program that a shell started in the background ignores Ctrl-C, and so do those that it starts.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from holdall.cli import main; sys.exit(main(['serve', 'dir:notes']))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        url = process.stdout.readline().decode().strip()
        port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([\w-]{43})/", url).groups()
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
        connection.request("GET", f"/{token}/item?key=a")
        response = connection.getresponse()
        assert (response.status, b"<pre>[\n  1\n]</pre>" in response.read()) == (200, True)
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=50) == (b"", b"")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_wrong_words(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "nothing"]) == 1
    FileDirStore("notes", serializer="json")
    assert main(["serve", "notes", "--port", "70000"]) == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "notes", "--port", str(taken.getsockname()[1])]) == 1
    assert capsys.readouterr().out == ""


def test_an_interrupt_while_a_thread_starts_ends_the_server(monkeypatch):
    def start(thread):
        begin(thread)
        thread.join()  # it has answered, and given its turn back
        raise KeyboardInterrupt

    begin = threading.Thread.start
    with ViewServer(MemoryStore({"a": 1})) as server:
        asking = threading.Thread(target=lambda: urllib.request.urlopen(server.url, timeout=20).read())
        asking.start()
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()
        monkeypatch.undo()
        asking.join()
