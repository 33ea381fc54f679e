import gc
import os
import sys

from holdall._posix.fork import finalize, forget_in_child


class Thing:
    def __init__(self):
        self.forgotten = 0

    def after_fork(self):
        self.forgotten += 1


def in_child(check):
    """Tell whether something holds in a forked child."""
    pid = os.fork()
    if not pid:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_forgets_and_its_parent_does_not():
    thing = Thing()
    forget_in_child(thing)
    assert in_child(lambda: thing.forgotten == 1)
    assert thing.forgotten == 0


def test_what_is_gone_is_not_kept_for_forks():
    thing = Thing()
    forget_in_child(thing)
    count = sys.getrefcount(thing)
    forget_in_child(thing)
    assert sys.getrefcount(thing) == count


def test_cleaning_up_is_for_the_process_that_made_it():
    done = []

    def drop():
        nonlocal thing
        thing = None
        gc.collect()
        return done == []

    thing = Thing()
    finalize(thing, done.append, "cleaned")
    assert in_child(drop)
    assert not drop()
    assert done == ["cleaned"]
