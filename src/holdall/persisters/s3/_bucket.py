"""The bucket: whether it exists, and how the first write makes a missing one."""

from collections.abc import Callable
from typing import Any

from holdall._posix.fork import new_lock
from holdall.errors import HoldallError, StoreNotFoundError
from holdall.persisters.s3._client import is_aws
from holdall.persisters.s3._requests import Requests, ServerError, UnansweredError

__all__ = ["Bucket"]

_making = new_lock()


class Bucket:
    """Make a bucket if it was never seen.

    A bucket is made only after the answer to a write said that there is none; at most once; and never once it
    was seen: if it vanishes later, that is an error.

    Parameters
    ----------
    requests
        Sends requests to the bucket.
    create
        Whether it may be made.
    """

    def __init__(self, requests: Requests, *, create: bool) -> None:
        self.requests = requests
        self.create = create
        self._made = False

    def is_to_come(self, error: ServerError) -> bool:
        """Return whether an error says that there is no bucket, which the first write would make."""
        return error.told.code == "NoSuchBucket" and self.create and not self.requests.seen

    def write(self, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Send a write; if there is no bucket, make it, and repeat the write."""
        seen = self.requests.seen
        try:
            return send()
        except ServerError as error:
            if error.told.code != "NoSuchBucket" or seen or not self.create:
                raise
            self._make()
        return send()

    def _make(self) -> None:
        with _making:
            if self._made or self.requests.seen:  # by another thread, or another process meanwhile
                return
            client = self.requests.source()
            region = client.meta.region_name
            location = region if is_aws(client.meta.endpoint_url) and region != "us-east-1" else None
            try:
                self._send(location)
            except ServerError as refused:
                wants = refused.told.code == "IllegalLocationConstraintException"
                if not (wants and location is None and region):
                    raise self._not_made(refused) from refused.__cause__
                try:
                    self._send(region)
                except ServerError as again:
                    raise self._not_made(again) from again.__cause__
            self._made = True

    def _send(self, location: str | None) -> None:
        options = {"CreateBucketConfiguration": {"LocationConstraint": location}} if location else {}
        try:
            self.requests.send("create_bucket", **options)
        except ServerError as error:
            if error.told.code != "BucketAlreadyOwnedByYou":
                raise
        except UnansweredError as error:
            raise error.error from error.__cause__

    def _not_made(self, error: ServerError) -> HoldallError:
        return StoreNotFoundError(
            f"there is no bucket {self.requests.bucket!r}, and it cannot be made ({error.told.code}: "
            f"{error.told.message}): correct its name, or have it made by somebody who may",
        )
