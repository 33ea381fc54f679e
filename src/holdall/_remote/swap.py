"""Compare-and-swap that holds when answers are lost.

A request whose answer is lost is sent again, meets what its first sending wrote, and is refused: a writer
that takes this for a conflict writes twice. So each write leaves a token in the object, and a writer that is
refused, or gets no answer, looks for its own. If the outcome cannot be determined, it raises
`OutcomeUnknownError`; a conflict is reported only where it is certain.
"""

import math
import random
import time
from collections.abc import Callable
from typing import Any, Final

from holdall._remote.data import is_unique
from holdall._remote.engine import Engine, Found, RefusedError, UnsureError
from holdall._remote.facts import Facts
from holdall._remote.tokens import Rings, follow, new_token, spell_tokens
from holdall._shown import shown
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Stat
from holdall.errors import OutcomeUnknownError, StoreNotFoundError, StoreUnavailableError, UnsupportedError

__all__ = ["NO_ETAG", "Lost", "Swaps"]

_ATTEMPTS = 4
_SWAPS = 8  # for an unchanged state: some servers answer 500 to concurrent writers
_PAUSE = 0.05  # seconds, doubled with each attempt

#: The etag that a test expects of an absent object; no server has such an etag.
NO_ETAG: Final = "0" * 32


class Lost(Exception):  # noqa: N818  (not an error: carries the current etag)
    """Another writer was certainly first.

    Parameters
    ----------
    actual
        The current etag of the object.
    """

    def __init__(self, actual: Etag) -> None:
        super().__init__(actual)
        self.actual = actual


class Swaps:
    """Conditional requests of one persister.

    Parameters
    ----------
    engine
        Sends the requests.
    facts
        Returns what is known of the bucket.
    scratch
        The prefix of keys that are never written, for tests of the server.
    """

    def __init__(self, engine: Engine, facts: Callable[[], Facts], scratch: str) -> None:
        self.engine = engine
        self.facts = facts
        self.scratch = scratch
        self.rings = Rings()

    def look(self, key: str) -> Found | None:
        """Return the head of an object, and remember its tokens; None if it is absent."""
        try:
            found = self.engine.head(key)
        except KeyError:
            return None
        self.rings.remember(key, found.etag, found.tokens)
        return found

    def replace_any(self, key: str, data: Any, size: int) -> Stat:
        """Write an object unconditionally, by one request."""
        token = new_token()
        try:
            etag = self.engine.put(key, data, token)
        except UnsureError as error:
            raise self._unknown(key, "writing", error) from error
        self.rings.remember(key, etag, (token,))
        return Stat(etag, math.nan, size)

    # ------------------------------------------------------------------ replacing

    def replace(self, key: str, data: Any, size: int, expected: str) -> Stat:
        """Write an object that has an etag; raise `Lost` if it has another one."""
        tokens = self.rings.recall(key, expected)
        if tokens is None:
            found = self.look(key)
            if found is None or found.etag != expected:
                raise Lost(_etag_of(found))
            tokens = found.tokens
        self.require_replacing()
        token = new_token()
        ring = follow(tokens, token)
        certain = True
        error: Exception
        for attempt in range(_SWAPS):
            if attempt:
                time.sleep(random.uniform(0, min(_PAUSE * 2**attempt, 1)))  # noqa: S311  (jitter, not a secret)
            spelling = self.engine.spelling
            try:
                etag = self.engine.put(key, data, spell_tokens(ring), expected)
            except RefusedError as refused:
                certain = certain and not refused.repeated
                error = refused
            except UnsureError as unsure:
                certain = False
                error = unsure
            except StoreUnavailableError as failed:
                if certain:
                    raise
                error = failed  # says nothing about earlier sendings
            else:
                self.rings.remember(key, etag, ring)
                return Stat(etag, math.nan, size)
            found = self._look_after(key, certain, error)
            if done := _mine(token, found, size):
                return done
            if found is not None and (found.etag, found.tokens) == (expected, tokens):
                if isinstance(error, UnsureError):
                    continue  # it can happen only once, whichever sending arrives
                if isinstance(error, RefusedError) and not error.busy:
                    self._respell(key, spelling, error)
                    continue
                raise self._busy(key, "replacing", error, certain) from error
            # The tokens contain the state that it started from, and so all writes since: ours is not among
            # them.
            known = is_unique(data) and found is not None and bool(tokens) and tokens[-1] in found.tokens
            if certain or known:
                raise Lost(_etag_of(found)) from error
            raise self._unknown(key, "replacing", error) from error
        raise self._unknown(key, "replacing", None)

    def _respell(self, key: str, tried: bool | None, refused: Exception) -> None:
        """Try the other form of etags; a server that obeys neither ignores or breaks conditions."""
        if not self.engine.respell(tried):
            self.facts().replaces = False
            raise UnsupportedError(
                f"{self.engine.location} refuses to replace {shown(key, 120)} though its etag is the "
                "expected one: the server has no conditions in this bucket, as some have none where "
                "versions are "
                "kept; plain writes work",
            ) from refused

    def require_replacing(self) -> None:
        """Test whether the server obeys If-Match, by a write that must be refused.

        It leaves no object, no version and no marker behind, and needs no right to delete.
        """
        facts = self.facts()
        with facts.lock:
            if facts.replaces is None:
                facts.replaces = self._probe_replacing()
        if not facts.replaces:
            raise self._refusal("ignores the condition of a replacement")

    def _probe_replacing(self) -> bool:
        key = self.scratch + new_token()
        for _ in range(_ATTEMPTS):
            try:
                self.engine.put(key, b"", new_token(), NO_ETAG)
            except RefusedError as refused:
                if refused.busy:
                    raise self._busy(key, "replacing", refused) from refused
                return True
            except UnsureError:
                continue
            self.engine.delete(key)
            return False
        raise StoreUnavailableError(f"{self.engine.location} does not answer whether it obeys conditions")

    # ------------------------------------------------------------------ inserting

    def insert(self, key: str, data: Any, size: int) -> Stat:
        """Write a new object; raise `Lost` if it exists."""
        facts = self.facts()
        if facts.inserts is None:
            with facts.lock:
                if facts.inserts is None:
                    return self._insert_first(key, data, size)
        if not facts.inserts:
            raise self._refusal("ignores the condition of an insertion")
        return self._insert(key, data, size, new_token())

    def _insert(self, key: str, data: Any, size: int, token: str) -> Stat:
        certain = True
        for attempt in range(_SWAPS):
            if attempt:  # inserted and deleted meanwhile
                time.sleep(random.uniform(0, min(_PAUSE * 2**attempt, 1)))  # noqa: S311
            try:
                etag = self.engine.put(key, data, token, ITEM_NOT_AVAILABLE)
            except RefusedError as refused:
                certain = certain and not refused.repeated
                found = self._look_after(key, certain, refused)
                if done := _mine(token, found, size):
                    return done
                if not certain:
                    raise self._unknown(key, "inserting", refused) from refused
                if found is not None:
                    raise Lost(found.etag) from refused
                if refused.busy:
                    raise self._busy(key, "inserting", refused) from refused
            except UnsureError as unsure:
                certain = False
                found = self._look_after(key, certain, unsure)
                if done := _mine(token, found, size):
                    return done
                if found is None:
                    continue  # it can happen only once, whichever sending arrives
                raise self._unknown(key, "inserting", unsure) from unsure
            except StoreUnavailableError as failed:
                if certain:
                    raise
                if done := _mine(token, self._look_after(key, certain, failed), size):
                    return done
                raise self._unknown(key, "inserting", failed) from failed
            else:
                self.rings.remember(key, etag, (token,))
                return Stat(etag, math.nan, size)
        if not certain:
            raise self._unknown(key, "inserting", None)
        raise UnsupportedError(
            f"{self.engine.location} refuses each time to insert {shown(key, 120)}, though nothing is there: "
            "where versions are suspended, some servers take the mark of a deletion for an object; plain "
            "writes work",
        )

    def _insert_first(self, key: str, data: Any, size: int) -> Stat:
        """Insert, and test whether the server obeys If-None-Match, by sending the same write again."""
        try:
            found = self.look(key)
        except StoreUnavailableError as error:
            if not getattr(error, "denied", False):
                raise
            found = None  # without the right to list, absence is not reported
        if found is not None:  # if conditions are ignored it would be overwritten
            raise Lost(found.etag)
        token = new_token()
        stat = self._insert(key, data, size, token)
        facts = self.facts()
        try:
            self.engine.put(key, data, token, ITEM_NOT_AVAILABLE)
        except RefusedError as refused:
            facts.inserts = None if refused.busy else True
            return stat
        except (UnsureError, StoreUnavailableError):
            return stat  # test later; the same write twice is harmless
        facts.inserts = False
        found = self.look(key)
        if found is not None and token in found.tokens[-1:]:
            self.engine.delete(key)
        raise self._refusal("ignores the condition of an insertion")

    # ------------------------------------------------------------------ deleting

    def delete_any(self, key: str) -> None:
        """Delete an object unconditionally; raise KeyError if it is absent."""
        facts = self.facts()
        if facts.deletes:
            if not self.discard(key):
                raise KeyError(key)
            return
        self.engine.head(key)
        if facts.deletes is None:
            self.deletes()
        self.engine.delete(key)
        self.rings.forget(key)

    def discard(self, key: str) -> bool:
        """Delete an object if it exists; return whether it did, or True where the server does not say.

        One request if the etag is known, or the server knows what "*" means.
        """
        facts = self.facts()
        while facts.deletes is not False:
            etag = self.rings.last(key)
            self.rings.forget(key)
            try:
                return self.engine.delete(key, ANY_ETAG if etag is None else etag, present=etag is None)
            except RefusedError as refused:
                if refused.busy:
                    raise self._busy(key, "deleting", refused, not refused.repeated) from refused
                if refused.absent:
                    return refused.repeated  # an earlier sending may have deleted it
                if etag is not None:
                    continue  # replaced meanwhile
                if facts.star is None:
                    facts.star = self.look(key) is None
                if facts.star:
                    return refused.repeated
            except UnsupportedError:
                facts.deletes = False
            except UnsureError as unsure:
                raise self._unknown(key, "deleting", unsure) from unsure
            except StoreUnavailableError as error:
                if not getattr(error, "denied", False):
                    raise  # otherwise the condition may need more rights
            break
        self.rings.forget(key)
        return self.engine.delete(key)

    def delete(self, key: str, expected: str) -> None:
        """Delete an object that has an etag; raise `Lost` if it has another one, or is absent."""
        try:
            obeyed = self.deletes()
        except StoreNotFoundError:
            if self.look(key) is None:  # no error: the bucket may not exist yet
                raise Lost(ITEM_NOT_AVAILABLE) from None
            raise
        if not obeyed:
            raise UnsupportedError(
                f"{self.engine.location} ignores the condition of a deletion, so {shown(key, 120)} stays "
                "as it is: what another writer just stored could be deleted; `del` and discard() work, "
                "pop() and "
                "other conditional deletions do not",
            )
        for _ in range(_ATTEMPTS):
            spelling = self.engine.spelling
            try:
                self.engine.delete(key, expected)
            except RefusedError as refused:
                found = self._look_after(key, not refused.repeated, refused)
                if found is not None and found.etag == expected and not refused.busy:
                    self._respell(key, spelling, refused)
                    continue
                if refused.repeated:
                    raise self._unknown(key, "deleting", refused) from refused
                if found is not None and found.etag == expected:
                    raise self._busy(key, "deleting", refused) from refused
                raise Lost(_etag_of(found)) from refused
            except UnsureError as unsure:
                raise self._unknown(key, "deleting", unsure) from unsure
            self.rings.forget(key)
            return
        raise self._unknown(key, "deleting", None)

    def deletes(self) -> bool:
        """Test whether the server obeys conditions of deletions, at an absent object."""
        facts = self.facts()
        if facts.deletes is None:
            with facts.lock:
                if facts.deletes is None:
                    facts.deletes = self.engine.obeys_deletions(self.scratch + new_token())
        return facts.deletes

    # ------------------------------------------------------------------ what is there

    def _look_after(self, key: str, certain: bool, cause: Exception) -> Found | None:
        """Return the head of an object after a write that was refused or not answered."""
        try:
            return self.look(key)
        except StoreUnavailableError as error:
            if certain:
                raise
            raise self._unknown(key, "writing", cause) from error

    def _busy(self, key: str, what: str, error: Exception, certain: bool = True) -> StoreUnavailableError:
        """Return the error for a write that other writers prevented each time it was sent."""
        if not certain:
            return self._unknown(key, what, error)
        return StoreUnavailableError(
            f"{what} {shown(key, 120)} in {self.engine.location}: the server said each time that another "
            "write is under way, and nothing was changed; try again later",
        )

    def _unknown(self, key: str, what: str, error: Exception | None) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"{what} {shown(key, 120)} in {self.engine.location} may or may not have happened: its answer "
            f"was lost, and what is there now does not tell ({(error and error.__cause__) or error})",
        )

    def _refusal(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.engine.location} {what}, so that two writers could both believe that they were first: "
            "nothing that compares and swaps works there; plain writes do",
        )


def _mine(token: str, found: Found | None, size: int) -> Stat | None:
    """Return the stat of a write that happened without an answer; None if it did not happen."""
    if found is None or token not in found.tokens:
        return None
    if found.tokens[-1] == token:
        return found.stat
    return Stat(f"replaced-{token}", math.nan, size)  # already replaced: an etag that no state has


def _etag_of(found: Found | None) -> Etag:
    return ITEM_NOT_AVAILABLE if found is None else found.etag
