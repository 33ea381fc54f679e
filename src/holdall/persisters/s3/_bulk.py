"""Deleting many objects: a thousand per request, with all parts of the answer checked."""

import itertools
import random
import time
from collections.abc import Iterable, Iterator
from functools import partial

from holdall._remote.facts import Facts
from holdall._remote.names import speakable
from holdall._remote.pool import in_order
from holdall._shown import shown
from holdall.errors import HoldallError, StoreNotFoundError, StoreUnavailableError
from holdall.persisters.s3._errors import Told, as_holdall
from holdall.persisters.s3._requests import Requests, ServerError, UnansweredError

__all__ = ["delete_many"]

_BATCH = 1000  # keys per request
_AGAIN = {"InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted"}
# Codes of servers that cannot delete many objects, or require a digest that boto3 does not send.
_NOT_KNOWN = {
    "NotImplemented",
    "MissingContentMD5",
    "InvalidRequest",
    "MalformedXML",
    "MethodNotAllowed",
    "InvalidDigest",
}
_ATTEMPTS, _PAUSE = 5, 0.1  # seconds, doubled with each attempt
_SHOWN = 10


def delete_many(requests: Requests, facts: Facts, keys: Iterable[str], workers: int) -> None:
    """Delete objects; absent ones are ignored.

    Parameters
    ----------
    requests
        Sends the requests.
    facts
        What is known of the bucket.
    keys
        The keys; taken as the requests proceed.
    workers
        How many requests at once, where each key needs one.

    Raises
    ------
    StoreUnavailableError
        If some could not be deleted; raised after all others were.
    """
    failed: dict[str, Told] = {}
    alone: list[str] = []  # keys that XML cannot contain
    for batch in _batches(keys, alone):
        together = len(batch) > 1 and facts.bulk
        left = _delete_batch(requests, facts, batch, failed) if together else batch
        _delete_singly(requests, left, workers, failed)
    _delete_singly(requests, alone, workers, failed)
    if failed:
        raise _not_deleted(requests, failed)


def _batches(keys: Iterable[str], alone: list[str]) -> Iterator[list[str]]:
    def carried() -> Iterator[str]:
        for key in keys:
            if speakable(key):
                yield key
            else:
                alone.append(key)

    source = carried()
    while batch := list(itertools.islice(source, _BATCH)):
        yield batch


def _delete_batch(requests: Requests, facts: Facts, batch: list[str], failed: dict[str, Told]) -> list[str]:
    """Delete by one request, and return the keys to delete one by one."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311  (jitter, not a secret)
        wanted = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
        try:
            answer = requests.send("delete_objects", Delete=wanted)
        except ServerError as error:
            if error.told.status == 501 or error.told.code in _NOT_KNOWN:
                facts.bulk = False
                return batch
            # Some servers want more rights for many at once than for each of them.
            if error.told.code == "AccessDenied" and _delete_one(requests, batch[0]) is None:
                return batch[1:]
            raise error.for_users() from error.__cause__
        except UnansweredError as error:
            raise error.error from error.__cause__
        again = []
        for reason in answer.get("Errors", ()):
            told = Told(str(reason.get("Code", "?")), 0, False, str(reason.get("Message", "")))
            key = reason.get("Key")
            if told.code in _AGAIN and attempt < _ATTEMPTS - 1:
                again.append(key)
            elif told.code != "NoSuchKey":
                failed[str(key)] = told
        batch = again
        if not batch:
            break
    return []


def _delete_one(requests: Requests, key: str) -> Told | HoldallError | None:
    """Delete an object, and return why it could not be deleted."""
    try:
        requests.send_in_turn("delete_object", Key=key)
    except ServerError as error:
        return None if error.told.code == "NoSuchKey" else error.told
    except UnansweredError as error:
        return error.error
    return None


def _delete_singly(requests: Requests, keys: list[str], workers: int, failed: dict[str, Told]) -> None:
    for key, told in in_order(partial(_delete_one, requests), keys, workers):
        if isinstance(told, HoldallError):
            raise told
        if told is not None:
            failed[key] = told


def _not_deleted(requests: Requests, failed: dict[str, Told]) -> HoldallError:
    if all(told.code == "NoSuchBucket" for told in failed.values()):
        return StoreNotFoundError(f"there is no bucket {requests.bucket!r}")
    if len(failed) == 1:
        ((key, told),) = failed.items()
        return as_holdall(
            told, f"deleting {shown(key, 200)} in {requests.location()}", ServerError(told, key)
        )
    first = ", ".join(
        f"{shown(key, 120)} ({told.code})" for key, told in itertools.islice(failed.items(), _SHOWN)
    )
    more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return StoreUnavailableError(
        f"{len(failed)} objects in {requests.location()} could not be deleted, all others were: "
        f"{first}{more}",
    )
