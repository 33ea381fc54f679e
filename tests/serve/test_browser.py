"""The page over a store in a real browser: `nox -s browser`, or wherever there is a Chromium, in the soak."""

import html
import http.server
import os
import re
import shutil
import subprocess
import threading

import pytest

from holdall import FileDirStore, MemoryStore
from holdall.serve import ViewServer, _html, _server

BROWSER = os.environ.get("HOLDALL_TEST_BROWSER") or shutil.which("chromium") or ""
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        not BROWSER, reason="needs Chromium: apt-get install chromium, or HOLDALL_TEST_BROWSER"
    ),
]
SCRIPT = "<script>document.title = 'owned'</script>"


@pytest.fixture
def browse(tmp_path):
    def run(url, *options):
        command = [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--virtual-time-budget=3000"),
            *(f"--user-data-dir={tmp_path / 'profile'}", *options, url),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=tmp_path)
        return done.stdout

    return run


@pytest.fixture
def serve():
    servers = []

    def start(server):
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def title_of(page):
    return html.unescape(re.search(r"<title>(.*?)</title>", page)[1])


def test_keys_values_and_search_are_shown(browse, serve):
    store = FileDirStore(serializer="json")
    store.update({"run/1": {"loss": 0.25}, "run/2": SCRIPT, SCRIPT: 1})
    url = serve(ViewServer(store)).url
    page = browse(url, "--dump-dom")
    assert page.count("<tr>") == 4
    assert ">run/1</a>" in page
    assert title_of(page) == f"FileDirStore: {store.pipeline.persister.place}"
    assert browse(f"{url}?q=RUN", "--dump-dom").count("<tr>") == 3
    assert '"loss": 0.25' in browse(f"{url}item?key=run%2F1", "--dump-dom")
    page = browse(f"{url}item?key=run%2F2", "--dump-dom")
    assert "&lt;script&gt;" in page
    assert "owned" not in title_of(page)


def test_images_and_styles_are_shown(browse, serve, tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    store = FileDirStore(serializer="image")
    store["dot"] = pillow.new("RGB", (300, 300), (255, 0, 0))
    url = serve(ViewServer(store)).url
    browse(f"{url}item?key=dot", "--screenshot=shot.png", "--window-size=600,800")
    with pillow.open(tmp_path / "shot.png") as shot:
        pixels = shot.convert("RGB")
        red = sum(
            pixels.getpixel((x, y)) == (255, 0, 0) for x in range(0, 600, 10) for y in range(0, 800, 10)
        )
        edge = {pixels.getpixel((2, y)) for y in range(0, 800, 10)}
    assert red > 700
    assert len(edge) == 1  # nothing touches it: the margins of the style are there


@pytest.mark.parametrize("policy", [True, False])
def test_a_script_that_got_into_a_page_would_not_run(browse, serve, monkeypatch, policy):
    """Without the policy it does, which shows that this test can fail."""
    monkeypatch.setattr(_html.html, "escape", lambda text, quote=True: text)
    if not policy:
        monkeypatch.setattr(_server, "_PAGE_POLICY", "")
    url = serve(ViewServer(MemoryStore({"a": SCRIPT + f'<img src=x onerror="{SCRIPT[8:-9]}">'}))).url
    page = browse(f"{url}item?key=a", "--dump-dom")
    assert "<script>document.title" in page
    assert (title_of(page) == "owned") is not policy


def test_a_name_that_was_made_to_point_here_is_not_answered(browse, serve):
    server = serve(ViewServer(MemoryStore({"secret": 1})))
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    page = browse(server.url.replace("127.0.0.1", "evil.example"), "--dump-dom", rules)
    assert "403 Forbidden" in page
    assert "secret" not in page


class _Other(http.server.BaseHTTPRequestHandler):
    """A page from elsewhere that embeds an image, whose URL is in its own."""

    def do_GET(self):
        target = self.path.partition("?")[2]
        body = (
            "<title>waiting</title>"
            f"<img src='{target}' onload=\"document.title='loaded'\" onerror=\"document.title='refused'\">"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.mark.parametrize("policy", [True, False])
def test_pages_from_elsewhere_get_nothing_even_by_the_url(browse, serve, monkeypatch, policy):
    pillow = pytest.importorskip("PIL.Image")
    if not policy:
        headers = {k: v for k, v in _server._HEADERS.items() if k != "Cross-Origin-Resource-Policy"}
        monkeypatch.setattr(_server, "_HEADERS", headers)
    store = FileDirStore(serializer="image")
    store["dot"] = pillow.new("RGB", (3, 3), "red")
    server = serve(ViewServer(store))
    other = serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Other))
    page = browse(f"http://127.0.0.1:{other.server_port}/?{server.url}image?key=dot", "--dump-dom")
    assert title_of(page) == ("refused" if policy else "loaded")
