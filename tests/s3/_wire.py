"""What stands between a store and S3: a fake that plays answers, and a proxy that loses or spoils them.

Both record each request as it came over the wire, and speak TLS if they are given a certificate.
"""

import http.client
import itertools
import socket
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}
"""Headers that tell of one connection only; each server sets its own."""


@dataclass(frozen=True)
class Request:
    """A request as it came; names of headers are in lower case."""

    method: str
    target: str
    headers: dict
    body: bytes

    @property
    def path(self):
        """Give the path with its escapes undone: ``/bucket/key``."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self):
        """Give the parameters of the query, those without a value too."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def operation(self):
        """Name the operation of S3 that this is, as boto3 does."""
        bucket_only = self.path.strip("/").count("/") == 0
        query = self.query
        if self.method == "POST":
            names = {"delete": "DeleteObjects", "uploads": "CreateMultipartUpload"}
            return next((name for key, name in names.items() if key in query), "CompleteMultipartUpload")
        if self.method == "PUT" and "partNumber" in query:
            return "UploadPart"
        if self.method == "DELETE" and "uploadId" in query:
            return "AbortMultipartUpload"
        if self.method == "GET" and bucket_only:
            return "ListObjectsV2" if query.get("list-type") == "2" else "Get bucket " + "&".join(query)
        kind = "Bucket" if bucket_only else "Object"
        create = bucket_only and self.method == "PUT"
        return ("Create" if create else self.method.capitalize()) + kind


@dataclass(frozen=True)
class Answer:
    """An answer, and what happens to it on its way.

    Parameters
    ----------
    status
        The status; None closes the connection instead of answering.
    headers
        Headers but Content-Length, which is that of the body.
    body
        The body that is announced.
    sent
        How many bytes of the body are sent; None means all.
    then
        What follows a body that was not sent to its end: "close" the connection, or "stall".
    measured
        Whether there is a Content-Length; otherwise the body ends where the connection does.
    """

    status: int | None
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    sent: int | None = None
    then: str = "close"
    measured: bool = True

    def lost(self):
        """Give the answer that never comes."""
        return replace(self, status=None)

    def cut(self, after):
        """Give the answer whose connection closes after some bytes of the body."""
        return replace(self, sent=after)

    def stalled(self, after):
        """Give the answer that stops after some bytes of the body."""
        return replace(self, sent=after, then="stall")

    def unmeasured(self, after=None):
        """Give the answer without Content-Length, closed after some bytes of the body."""
        return replace(self, measured=False, sent=after)

    @classmethod
    def error(cls, status, code, message="as the script says"):
        """Give an error as S3 words it."""
        text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message>'
        body = f"{text}<RequestId>1</RequestId></Error>".encode()
        return cls(status, body, {"Content-Type": "application/xml"})

    @classmethod
    def xml(cls, text, status=200):
        """Give a document."""
        head = '<?xml version="1.0" encoding="UTF-8"?>'
        return cls(status, (head + text).encode(), {"Content-Type": "application/xml"})


class _Handler(BaseHTTPRequestHandler):
    """Take a request, have it answered, send the answer as far as it goes."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def handle_one_request(self):
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self._answer()
            self.wfile.flush()
        except (ConnectionError, TimeoutError, OSError):
            self.close_connection = True  # who asked has gone

    def _answer(self):
        owner = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self._body(headers))
        with owner.changed:
            owner.requests.append(request)
            owner.changed.notify_all()
        self._send(owner.respond(request), headless=self.command == "HEAD")

    def _body(self, headers):
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(pieces)

    def _send(self, answer, headless):
        if answer.status is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.measured:
            # the length of what a HEAD is about comes with the headers
            if not (headless and any(name.lower() == "content-length" for name in answer.headers)):
                self.send_header("Content-Length", str(len(answer.body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if headless:
            return
        body = answer.body if answer.sent is None else answer.body[: answer.sent]
        self.wfile.write(body)
        if answer.sent is not None:
            self.close_connection = True
            self.wfile.flush()
            if answer.then == "stall":
                self.server.owner.released.wait()

    def log_message(self, *args):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        self.owner.fail()


class Wire:
    """A small HTTP server on loopback, for the time of a `with` block.

    Parameters
    ----------
    certificate
        A certificate as `trustme` makes it; with one the server speaks TLS.
    """

    def __init__(self, certificate=None):
        self.certificate = certificate
        self.requests = []
        self.faults = []
        self.changed = threading.Condition()
        self.released = threading.Event()

    def __enter__(self):
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        scheme = "http"
        if self.certificate is not None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.certificate.configure_cert(context)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        assert not self.faults, self.faults[0]

    def respond(self, request):
        """Give the answer to a request."""
        raise NotImplementedError

    def fail(self):
        """Keep what went wrong here, which is an error of the test."""
        import traceback

        self.faults.append(traceback.format_exc())

    def operations(self):
        """Name the operations asked for so far, in their order."""
        with self.changed:
            return [request.operation for request in self.requests]

    def forget(self):
        """Forget the requests so far."""
        with self.changed:
            self.requests.clear()


class Fake(Wire):
    """A server that plays a script.

    Parameters
    ----------
    script
        What answers each request: a function of the `Request`, or one `Answer` after the other, of which
        the last is repeated.
    certificate
        As for `Wire`.
    """

    def __init__(self, *script, certificate=None):
        super().__init__(certificate)
        self.play(*script)

    def play(self, *script):
        """Begin another script."""
        self._script = script[0] if len(script) == 1 and callable(script[0]) else None
        self._answers = list(script)

    def respond(self, request):
        if self._script is not None:
            return self._script(request)
        with self.changed:
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Proxy(Wire):
    """A server that passes requests on to another one, and its answers back as a rule says.

    Parameters
    ----------
    upstream
        The URL of the server.
    rule
        A function of the `Request` and its `Answer`, that gives the answer to send.
    before
        A function of the `Request`, called before it is passed on; an `Answer` that it gives is sent
        in place of that of the server, which then never sees the request.
    certificate
        As for `Wire`.
    """

    def __init__(self, upstream, rule=None, *, before=None, certificate=None):
        super().__init__(certificate)
        self.upstream = urlsplit(upstream).netloc
        self.rule = rule
        self.before = before
        self._local = threading.local()

    def respond(self, request):
        answer = self.before(request) if self.before is not None else None
        if answer is None:
            answer = self._pass_on(request)
            if self.rule is not None:
                answer = self.rule(request, answer)
        return answer

    def _pass_on(self, request):
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name not in HOP:
                    connection.putheader(name, value)
            if request.body or request.method in ("PUT", "POST"):
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        kept = HOP - {"content-length"} if request.method == "HEAD" else HOP
        headers = {name: value for name, value in response.getheaders() if name.lower() not in kept}
        return Answer(response.status, body, headers)


class LoseEvery:
    """The rule that loses each n-th of the answers that tell of success.

    Parameters
    ----------
    nth
        20 loses 5 %.
    methods
        The methods whose answers count.
    """

    def __init__(self, nth=20, methods=("PUT",)):
        self.nth = nth
        self.methods = methods
        self.lost = 0
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def __call__(self, request, answer):
        if request.method not in self.methods or not 200 <= answer.status < 300:
            return answer
        with self._lock:
            if next(self._numbers) % self.nth:
                return answer
            self.lost += 1
        return answer.lost()
