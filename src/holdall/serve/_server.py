"""The server: which requests are answered, and with which headers."""

import secrets
import socketserver
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from holdall.serve._html import STYLE, Markup, element, page
from holdall.serve._pages import NotThereError, Pages
from holdall.store import Store

__all__ = ["ViewServer"]

_HOST: Final = "127.0.0.1"
_AT_ONCE: Final = 16  # simultaneous requests
_HTML: Final = "text/html; charset=utf-8"
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the URL is secret
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class _Answer(NamedTuple):
    """The answer to a request."""

    body: bytes
    kind: str = _HTML
    status: HTTPStatus = HTTPStatus.OK


class ViewServer(ThreadingHTTPServer):
    """A read-only page over a store, for a browser on this machine.

    Parameters
    ----------
    store
        The store. Its values are loaded when their pages are requested, by its own rules of trust.
    port
        The port on 127.0.0.1; 0 for any free one.

    Raises
    ------
    OSError
        If the port is taken.

    Notes
    -----
    Threads: each request has one; it must be safe to read the store from several. Processes: other users of
    this machine can connect, but get nothing without the URL. Cost: a page of keys reads no values.

    Examples
    --------
    >>> from holdall import MemoryStore
    >>> with ViewServer(MemoryStore({"a": 1})) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, store: Store[Any, Any], *, port: int = 0) -> None:
        self.pages = Pages(store)
        self.token = secrets.token_urlsafe(32)
        # Not a bounded one: an interrupt while a thread starts gives its turn back twice, and must stay an
        # interrupt, which ends the server.
        self._turns = threading.Semaphore(_AT_ONCE)
        super().__init__((_HOST, port), _Handler)

    def server_bind(self) -> None:
        """Bind the port, without looking up the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, int(self.server_address[1])

    @property
    def host(self) -> str:
        """The only host name that requests may have."""
        return f"{_HOST}:{self.server_port}"

    @property
    def url(self) -> str:
        """The URL of the page; everyone who knows it can read the store."""
        return f"http://{self.host}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request in a thread of its own, if there are not too many."""
        self._turns.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread is available
            self._turns.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._turns.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore browsers that have disconnected; errors of a store are shown on the page."""


class _Handler(BaseHTTPRequestHandler):
    """Answer one request, if it has the name of the server and its secret."""

    server: ViewServer
    server_version = "holdall"
    sys_version = ""
    timeout = 10  # seconds for a client to send its request

    def do_GET(self) -> None:
        """Answer with a page."""
        self._send(self._answer())

    def do_HEAD(self) -> None:
        """Answer with the headers of a page."""
        self._send(self._answer())

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log, which would contain the secret."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that is invalid, or not a GET, with a plain line."""
        del message, explain
        self.close_connection = True
        self._send(_plain(HTTPStatus(code)))

    def _answer(self) -> _Answer:
        if self.headers.get_all("Host") != [self.server.host]:
            return _plain(HTTPStatus.FORBIDDEN)
        path, _, query = self.path.partition("?")
        start, _, rest = path.removeprefix("/").partition("/")
        right = secrets.compare_digest(start.encode("utf-8", "replace"), self.server.token.encode())
        if not right or not path.startswith("/" + start + "/"):
            return _plain(HTTPStatus.NOT_FOUND)
        try:
            given = parse_qs(query, keep_blank_values=True, errors="surrogatepass", max_num_fields=10)
            return self._page(rest, {name: values[-1] for name, values in given.items()})
        except (NotThereError, UnicodeDecodeError):
            return self._shown(HTTPStatus.NOT_FOUND, "There is no such item.")
        except Exception as error:  # of the store, or of a shown value of any type
            return self._shown(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}"[:2000])

    def _page(self, name: str, given: dict[str, str]) -> _Answer:
        pages = self.server.pages
        if name == "":
            start = given.get("start", "0")
            if not (start.isascii() and start.isdigit() and len(start) < 16):
                raise NotThereError(start)
            return _Answer(_encoded(pages.listing(given.get("q", ""), int(start))))
        if name == "item":
            return _Answer(_encoded(pages.item(given.get("key", ""))))
        if name == "image":
            data, kind = pages.image(given.get("key", ""))
            return _Answer(data, kind)
        if name == "style.css":
            return _Answer(STYLE.encode(), "text/css; charset=utf-8")
        return _plain(HTTPStatus.NOT_FOUND)

    def _shown(self, status: HTTPStatus, text: str) -> _Answer:
        body = page(self.server.pages.title, element("p", text, class_="note"))
        return _Answer(_encoded(body), _HTML, status)

    def _send(self, answer: _Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", _PAGE_POLICY if answer.kind == _HTML else _DATA_POLICY)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _plain(status: HTTPStatus) -> _Answer:
    return _Answer(f"{status.value} {status.phrase}\n".encode(), "text/plain; charset=utf-8", status)


def _encoded(body: Markup) -> bytes:
    return body.encode("utf-8", "backslashreplace")
