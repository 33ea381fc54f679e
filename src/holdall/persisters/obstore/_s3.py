"""S3 through obstore, with another engine for what obstore cannot do or report."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from holdall._remote.data import buffers
from holdall._remote.engine import Answer, Engine, Found, Page, RefusedError, UnchangedError
from holdall._remote.facts import facts_of
from holdall._remote.reading import PART
from holdall.conditional import ANY_ETAG, Expected
from holdall.errors import StoreNotFoundError, StoreUnavailableError, UnsupportedError
from holdall.persisters.obstore._dialect import Runtime, ToldError, is_named
from holdall.persisters.obstore._engine import ObstoreEngine

__all__ = ["TranslatedS3Engine", "open_s3"]

T = TypeVar("T")

# As for boto3: a dead endpoint is reported within 20 seconds, a stalled one within 65.
_CONNECT, _READ, _SENDS = 5, 20, 3  # seconds, seconds, times
_LONGEST = 24 * 3600  # seconds for a whole body; each read has its own limit


class TranslatedS3Engine(ObstoreEngine):
    """Send reads and writes to S3 through obstore, and the rest through another engine.

    The rest is what obstore cannot do (list names exactly, delete conditionally, write large values in parts
    that are cleaned up), what it cannot explain (an answer without a reason), and everything in a forked
    child.

    Parameters
    ----------
    store
        As for `ObstoreEngine`.
    other
        An engine for the same bucket.
    requests
        The sender of its requests, which notes in `seen` that there is a bucket.
    writes
        Whether obstore also writes.
    once
        Returns a store that sends each request once; None for the store of the reads.
    """

    def __init__(
        self,
        store: Any,
        other: Engine,
        requests: Any,
        *,
        writes: bool = True,
        once: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(store)
        self.other = other
        self.requests = requests
        self.writes = writes
        self._make_single = once
        self._single: Any = None

    @classmethod
    def beside(cls, other: Engine, requests: Any) -> Self:
        """Return an engine for the requests of an engine of boto3.

        Parameters
        ----------
        other
            The engine.
        requests
            The sender of its requests, with its `bucket`, `source`, `request_options` and `put_options`.
        """
        if requests.request_options:
            raise UnsupportedError(
                "obstore cannot send request_options: leave them out, or use engine='boto3'"
            )
        if not requests.source.anonymous:
            requests.source.session()  # raises if there is none
        opened = partial(open_s3, requests.bucket, requests.source)
        return cls(opened, other, requests, writes=not requests.put_options, once=partial(opened, sends=1))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_single": None}

    def _ready_once(self) -> Any:
        client = self._ready()
        if self._single is None and self._make_single is not None:
            self._single = self._make_single()
        return client if self._single is None else self._single

    @property
    def location(self) -> str:  # docstring inherited
        return self.other.location

    def identity(self) -> tuple[str, str]:  # docstring inherited
        return self.other.identity()

    def _speaks(self, key: str) -> bool:
        """Return whether obstore can send a request for a key."""
        return not Runtime.lost and is_named(key)

    def _ask_first(self, send: Callable[[], T]) -> T | None:
        """Return the answer to a request through obstore; None if the other engine is to explain it."""
        try:
            answer = send()
        except StoreNotFoundError:
            return None
        except ToldError as error:
            if not error.refused:
                raise
            return None
        except (KeyError, RefusedError, UnchangedError):
            self.requests.seen = True
            raise
        self.requests.seen = True
        return answer

    def head(self, key: str) -> Found:  # docstring inherited
        if self._speaks(key):
            try:
                found = super().head(key)
            except KeyError:
                if self.requests.seen:  # otherwise there may be no bucket: the answer has no body that tells
                    raise
            except ToldError as error:
                if not error.refused:
                    raise
            else:
                self.requests.seen = True
                return found
        return self.other.head(key)

    def get(  # docstring inherited
        self, key: str, *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> Answer:
        if self._speaks(key):
            send = partial(super().get, key, start=start, stop=stop, etag=etag)
            if (answer := self._ask_first(send)) is not None:
                return answer
        return self.other.get(key, start=start, stop=stop, etag=etag)

    def get_unless(self, key: str, etag: str) -> Answer:  # docstring inherited
        if self._speaks(key):
            answer = self._ask_first(partial(super().get_unless, key, etag))
            if answer is not None:
                return answer
        return self.other.get_unless(key, etag)

    def put(
        self, key: str, data: Any, tokens: str, expected: Expected = ANY_ETAG
    ) -> str:  # docstring inherited
        if self.writes and self._speaks(key) and buffers(data)[1] <= PART:
            etag = self._ask_first(partial(super().put, key, data, tokens, expected))
            if etag is not None:
                facts = facts_of(self.identity())
                if isinstance(expected, str) and facts.quoted is None:
                    facts.quoted = True
                return etag
        return self.other.put(key, data, tokens, expected)  # which may make the bucket

    def delete(  # docstring inherited
        self, key: str, expected: Expected = ANY_ETAG, *, present: bool = False
    ) -> bool:
        return self.other.delete(key, expected, present=present)

    def obeys_deletions(self, key: str) -> bool:  # docstring inherited
        return self.other.obeys_deletions(key)

    def delete_many(self, keys: Iterable[str]) -> None:  # docstring inherited
        self.other.delete_many(keys)

    def pages(self, prefix: str, delimiter: str = "") -> Iterator[Page]:  # docstring inherited
        return self.other.pages(prefix, delimiter)

    @property
    def spelling(self) -> bool | None:  # docstring inherited
        return self.other.spelling

    def respell(self, tried: bool | None) -> bool:  # docstring inherited
        return self.other.respell(tried)

    def close(self) -> None:  # docstring inherited
        self.other.close()

    def _spell(self, etag: str) -> str:
        return etag if self.spelling is False else super()._spell(etag)


def open_s3(bucket: str, source: Any, *, sends: int = _SENDS) -> Any:
    """Return a store of obstore that reaches a bucket as a client of boto3 does.

    Credentials are obtained for each request and never kept, so that renewed ones are used at once.

    Parameters
    ----------
    bucket
        Name of the bucket.
    source
        Returns a client of boto3, with endpoint and region; has the attributes `session`, `anonymous`
        (whether requests are unsigned) and `connections` (how many there may be).
    sends
        How often to send a request that is not answered, or answered by a failure of the server.

    Raises
    ------
    StoreUnavailableError
        If there are no credentials.
    """
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415  (it imports boto3)
    from obstore.store import S3Store  # noqa: PLC0415

    meta = source().meta
    options: dict[str, Any] = {"region": meta.region_name or "us-east-1"}
    aws = f".{urlsplit(meta.endpoint_url).hostname}".endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if aws:
        options["virtual_hosted_style_request"] = "." not in bucket
    else:
        options["endpoint"] = meta.endpoint_url
    if source.anonymous:
        options["skip_signature"] = True
    else:
        try:
            options["credential_provider"] = Boto3CredentialProvider(source.session(), ttl=timedelta(0))
        except ValueError as error:
            raise StoreUnavailableError(
                f"s3://{bucket}: no credentials were found; give a session, set them as boto3 expects, or "
                "use anonymous=True",
            ) from error
    wire: Any = {
        "allow_http": meta.endpoint_url.startswith("http:"),
        "connect_timeout": timedelta(seconds=_CONNECT),
        "read_timeout": timedelta(seconds=_READ),
        "timeout": timedelta(seconds=_LONGEST),
        "pool_max_idle_per_host": str(source.connections),
    }
    if bundle := os.environ.get("AWS_CA_BUNDLE"):
        with open(bundle, "rb") as file:
            wire["root_certificate"] = file.read()
    pauses = {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=2), "base": 2}
    retries: Any = {"max_retries": sends - 1, "backoff": pauses, "retry_timeout": timedelta(seconds=60)}
    return S3Store(bucket, client_options=wire, retry_config=retries, **options)
