"""Forks while another thread holds a lock, for each lock: ``python -m s3._forking URL BUCKET FOLDER``.

Prints the locks in whose children something went wrong; a child that hangs is ended by an alarm.
"""

import os
import signal
import sys
import threading
import uuid

from holdall import S3Store, UnsupportedError
from holdall._remote.facts import facts_of
from holdall.persisters.s3 import _bucket, _client
from s3._places import ENGINES

PATIENCE = 20  # seconds; a child that goes on needs less than one


def work(store, key):
    """Use all that takes a lock: new facts, a new client, a new bucket, values kept."""
    engine = store.persister.inner.engine
    facts = facts_of(engine.identity())
    facts.replaces = facts.inserts = facts.deletes = facts.star = None
    other = S3Store(f"made-{uuid.uuid4().hex[:12]}", endpoint_url=engine.identity()[0])
    other["x"] = 1
    assert store.setdefault(key, 1) == 1
    assert store.transform_item(key, transformer=lambda n: n + 1).new_value == 2
    assert store[key] == 2
    try:
        store.pop(key)
    except UnsupportedError:  # some servers bind no deletions
        del store[key]
    if "obstore" in ENGINES:
        memory().put("x", b"1", "")


def memory():
    """Make a place of obstore that works in forked children, too."""
    from obstore.store import MemoryStore

    from holdall.persisters.obstore import ObjectStorePersister

    return ObjectStorePersister(MemoryStore()).engine


def goes_on(lock, store, key):
    """Fork while a thread holds a lock, and tell whether the child can work."""
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE)
        try:
            work(store, key)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    done.set()
    thread.join()
    return status == 0


def main(url, bucket, folder):
    store = S3Store(bucket, prefix="p", endpoint_url=url, cache_dir=folder)
    work(store, "parent")
    cache = store.persister
    place = cache.inner
    locks = {
        "facts": facts_of(place.engine.identity()).lock,
        "rings": place._swaps.rings._lock,
        "client": _client._making,
        "bucket": _bucket._making,
        "changes of the cache": cache._own,
        "files of the cache": cache._files._lock,
    }
    if "obstore" in ENGINES:
        locks["memory of obstore"] = memory()._alone
    sys.stdout.write(", ".join(name for name, lock in locks.items() if not goes_on(lock, store, name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
