"""An engine over obstore."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, NotModifiedError, PreconditionError

from holdall._posix.fork import new_lock
from holdall._remote.data import buffers
from holdall._remote.engine import (
    Answer,
    Engine,
    Found,
    Page,
    RefusedError,
    UnchangedError,
    UnsureError,
)
from holdall._remote.pool import for_each
from holdall._remote.tokens import FIELD, read_tokens
from holdall._shown import shown
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.obstore._dialect import (
    FAILURES,
    Body,
    Runtime,
    ToldError,
    code_of,
    is_named,
    is_refusal,
    sent_twice,
    translated,
)

__all__ = ["ObstoreEngine"]

_BUSY = {"ConditionalRequestConflict", "OperationAborted"}
_WORKERS = 16  # simultaneous requests to delete
_PAGE = 1000  # names per listing, or per deletion
_ATTEMPTS = 5
_PAUSE = 0.05  # seconds, doubled with each attempt

_KINDS = {
    "S3Store": "s3",
    "GCSStore": "gs",
    "AzureStore": "az",
    "LocalStore": "file",
    "MemoryStore": "memory",
}


class ObstoreEngine(Engine):
    """Send the requests of an `ObjectPersister` through obstore.

    Parameters
    ----------
    store
        A store of obstore, or a function that returns it on first use.
    """

    # Within this process and machine, requests that obstore lacks are made under a lock.
    _alone = new_lock()
    _last = 0  # the time of the last file written

    def __init__(self, store: Any) -> None:
        self._make: Callable[[], Any] | None = None
        self._made: Any = None
        if type(store).__name__ in _KINDS:
            self._made = store
        elif callable(store):
            self._make = store
        else:
            raise InvalidArgumentError(
                f"store is a store of obstore for {', '.join(_KINDS)}, or a function that makes one, "
                f"got {type(store).__name__}",
            )

    def _client(self) -> Any:
        if self._made is None and self._make is not None:
            made = self._make()
            if type(made).__name__ not in _KINDS:
                raise InvalidArgumentError(f"{self._make!r} made no store of obstore, but {shown(made)}")
            self._made = made
        return self._made

    def _ready(self) -> Any:
        """Return the client, for a request."""
        if Runtime.lost and self.kind != "memory":
            raise UnsupportedError(
                f"{self.location}: obstore does not work in a process forked from one that used it, since "
                "its threads are gone; start processes by 'spawn' or 'forkserver'",
            )
        client = self._client()
        Runtime.used = Runtime.used or self.kind != "memory"
        return client

    def _ready_once(self) -> Any:
        """Return the client for a swap, which is best sent only once: the sender checks its outcome."""
        return self._ready()

    @property
    def is_local(self) -> bool:
        """Whether nobody but this process can, or should, write."""
        return self.kind in ("memory", "file")

    @property
    def _turn(self) -> AbstractContextManager[Any]:
        return self._alone if self.is_local else nullcontext()

    @property
    def kind(self) -> str:
        """The scheme of URLs of such stores."""
        return _KINDS[type(self._client()).__name__]

    @property
    def location(self) -> str:  # docstring inherited
        client, kind = self._client(), self.kind
        if kind == "memory":
            return "memory of obstore"
        config = getattr(client, "config", {})
        where = config.get("bucket") or config.get("container_name") or ""
        return f"{kind}://{where}/{client.prefix or ''}"

    def identity(self) -> tuple[str, str]:  # docstring inherited
        config = getattr(self._client(), "config", {})
        return f"obstore {config.get('endpoint', '')}", self.location

    def __getstate__(self) -> dict[str, Any]:
        if self._make is None and self.kind != "file":
            raise UnsupportedError(
                f"{self.location} cannot be pickled: its credentials would go with it; give a function that "
                "makes the store",
            )
        return vars(self) if self._make is None else {**vars(self), "_made": None}

    # ------------------------------------------------------------------ reading

    def head(self, key: str) -> Found:  # docstring inherited
        return self._found(self._ask(key, {"head": True}), key)

    def get(  # docstring inherited
        self, key: str, *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> Answer:
        options: dict[str, Any] = {}
        if start or stop is not None:
            options["range"] = {"offset": start} if stop is None else (start, stop)
        if etag is not None:
            options["if_match"] = self._spell(etag)
        try:
            return self._answer(self._ask(key, options), key)
        except PreconditionError as error:
            raise RefusedError from error

    def get_unless(self, key: str, etag: str) -> Answer:  # docstring inherited
        try:
            return self._answer(self._ask(key, {"if_none_match": self._spell(etag)}), key)
        except NotModifiedError:
            raise UnchangedError from None

    def _ask(self, key: str, options: Any) -> Any:
        client = self._ready()
        self._check(key)
        try:
            return obstore.get(client, key, options=options)
        except (NotModifiedError, PreconditionError):
            raise
        except FAILURES as error:
            raise self._translated(error, "reading", key) from error

    def _answer(self, result: Any, key: str) -> Answer:
        start, stop = result.range
        return Answer(self._found(result, key), start, Body(result, stop - start))

    def _found(self, result: Any, key: str) -> Found:
        stat = self._stat(result.meta)
        if not stat.etag:
            raise StoreUnavailableError(
                f"reading {shown(key, 120)} in {self.location}: the answer has no etag, so it is not from an "
                "object store",
            )
        return Found(stat.etag, stat.mtime, stat.size or 0, read_tokens(result.attributes.get(FIELD)))

    def _stat(self, meta: Any) -> Stat:
        mtime = meta["last_modified"].timestamp()
        if self.kind in ("s3", "gs", "az"):  # heads of objects have whole seconds, listings may not
            mtime = float(int(mtime))
        return Stat((meta["e_tag"] or "").removeprefix("W/").strip('"'), mtime, meta["size"])

    # ------------------------------------------------------------------ writing

    def put(
        self, key: str, data: Any, tokens: str, expected: Expected = ANY_ETAG
    ) -> str:  # docstring inherited
        client = self._ready() if expected is ANY_ETAG else self._ready_once()
        self._check(key)
        views, _ = buffers(data)
        # In memory, obstore would keep the buffer itself, which the caller may change.
        body = views[0] if len(views) == 1 and not self.is_local else b"".join(views)
        # A folder keeps no metadata; nor are answers from it lost.
        attributes = None if self.kind == "file" else {FIELD: tokens}
        options: dict[str, Any] = {"attributes": attributes, "use_multipart": False}
        repeated = False
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311  (jitter, not a secret)
            try:
                with self._turn:
                    options["mode"] = self._mode(key, expected)
                    result = obstore.put(client, key, body, **options)
                    while self.kind == "file" and not self._ticked(result["e_tag"]):
                        result = obstore.put(client, key, body, mode="overwrite", use_multipart=False)
            except (AlreadyExistsError, PreconditionError) as error:
                repeated = repeated or sent_twice(error)
                code = code_of(error)
                if code in _BUSY:
                    continue
                if expected is ANY_ETAG or not is_refusal(error):
                    raise self._not_written(error, key, repeated and expected is not ANY_ETAG) from error
                told = self._translated(error, "writing", key)
                if isinstance(told, StoreNotFoundError):
                    raise told from error
                raise RefusedError(repeated=repeated, absent=code == "NoSuchKey") from error
            except FAILURES as error:
                repeated = repeated or sent_twice(error)
                raise self._not_written(error, key, repeated and expected is not ANY_ETAG) from error
            return str(result["e_tag"]).removeprefix("W/").strip('"')
        if expected is not ANY_ETAG:
            raise RefusedError(repeated=repeated, busy=True)
        raise StoreUnavailableError(
            f"writing {shown(key, 120)} in {self.location}: others write it all the time"
        )

    def _mode(self, key: str, expected: Expected) -> Any:
        if expected is ANY_ETAG:
            return "overwrite"
        if expected is ITEM_NOT_AVAILABLE:
            return "create"
        version: dict[str, Any] = {"e_tag": self._spell(str(expected))}
        if self.kind in ("gs", "file"):
            try:
                meta = self._ask(key, {"head": True}).meta
            except KeyError:
                raise RefusedError from None
            if self._stat(meta).etag != expected:
                raise RefusedError
            if self.kind == "file":  # under a lock
                return "overwrite"
            version["version"] = meta["version"]  # Google compares generation numbers
        return version

    @classmethod
    def _ticked(cls, etag: Any) -> bool:
        """Return whether a file is later than all before, as its etag is made from its time."""
        tick = int(etag.split("-")[1], 16)
        if tick <= cls._last:
            time.sleep(0.001)
            return False
        ObstoreEngine._last = tick
        return True

    def _not_written(self, error: Exception, key: str, unsure: bool) -> Exception:
        """Return the error for a failed write: without an answer of the server it may have happened.

        The same applies if it is `unsure` what became of an earlier sending.
        """
        told = self._translated(error, "writing", key)
        if isinstance(told, ToldError) and (unsure or not told.refused):
            doubt = UnsureError(str(told))
            doubt.__cause__ = told
            return doubt
        return StoreUnavailableError(str(told)) if isinstance(told, KeyError) else told

    def delete(  # docstring inherited
        self, key: str, expected: Expected = ANY_ETAG, *, present: bool = False
    ) -> bool:
        client = self._ready()
        self._check(key)
        if self.is_local and (present or expected is not ANY_ETAG):
            return self._delete_if(key, expected)
        if present or expected is not ANY_ETAG:
            raise UnsupportedError(f"{self.location}: obstore cannot bind a deletion to a condition")
        try:
            obstore.delete(client, key)
        except FileNotFoundError as error:
            told = self._translated(error, "deleting", key)
            if not isinstance(told, KeyError):
                raise told from error
            return False
        except FAILURES as error:
            raise self._translated(error, "deleting", key) from error
        return True

    def _delete_if(self, key: str, expected: Expected) -> bool:
        with self._turn:
            try:
                found = self.head(key)
            except KeyError:
                raise RefusedError from None
            if expected not in (ANY_ETAG, found.etag):
                raise RefusedError
            obstore.delete(self._ready(), key)
        return True

    def obeys_deletions(self, key: str) -> bool:  # docstring inherited
        del key
        return self.is_local

    def delete_many(self, keys: Iterable[str]) -> None:  # docstring inherited
        rest = filter(is_named, keys)
        while some := list(islice(rest, _PAGE)):
            if not self._delete_all(some):
                for_each(self._delete_if_named, some, _WORKERS, name=str)

    def _delete_all(self, keys: list[str]) -> bool:
        """Delete objects at once; return False if that ended at an absent one."""
        if self.kind == "file":  # obstore does so one by one
            return False
        try:
            obstore.delete(self._ready(), keys)
        except FileNotFoundError:
            return False
        except FAILURES as error:
            raise self._translated(
                error, f"deleting {len(keys)} objects, the first of them", keys[0]
            ) from error
        return True

    def _delete_if_named(self, key: str) -> None:
        try:
            self.delete(key)
        except InvalidKeyError:
            return

    # ------------------------------------------------------------------ listing

    def pages(self, prefix: str, delimiter: str = "") -> Iterator[Page]:  # docstring inherited
        client = self._ready()
        folder = prefix[: prefix.rfind("/") + 1]
        try:
            if delimiter:
                listed = obstore.list_with_delimiter(client, folder or None)
                names = [f"{name}/" for name in listed["common_prefixes"]]
                folders = [name for name in names if name.startswith(prefix)]
                yield Page(self._objects(listed["objects"], prefix), folders)
                return
            for objects in obstore.list(client, folder or None, chunk_size=_PAGE):
                yield Page(self._objects(objects, prefix), [])
        except FAILURES as error:
            raise self._translated(error, "listing", prefix) from error

    def _objects(self, listed: Iterable[Any], prefix: str) -> list[tuple[str, Stat]]:
        entries = [(entry["path"], self._stat(entry)) for entry in listed]
        return [
            (name, stat)
            for name, stat in entries
            if name.startswith(prefix) and (stat.size or self.kind in ("file", "memory") or self._is(name))
        ]

    def _is(self, name: str) -> bool:
        """Return whether an empty object has this name: a mark of a folder is listed without its slash."""
        try:
            return not self.head(name).size
        except KeyError:
            return False

    # ------------------------------------------------------------------ its dialect

    def _spell(self, etag: str) -> str:
        return f'"{etag}"'

    def _check(self, key: str) -> None:
        """Raise for names that obstore would take for others."""
        if not is_named(key) or (self.kind == "file" and re.search(r"#\d+\Z", key)):
            raise InvalidKeyError(
                f"{shown(key, 120)} cannot name an object in {self.location}: obstore knows no names with "
                "empty parts, with control characters, or, in folders, with '#' and digits at the end",
            )

    def _translated(self, error: Exception, what: str, key: str) -> HoldallError | KeyError:
        return translated(error, f"{what} {shown(key, 120)} in {self.location}", key)
