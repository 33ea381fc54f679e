"""Evaluate expressions on a system that has no more of POSIX than Windows has; print the outcomes as JSON."""

import importlib
import importlib.abc
import json
import os
import pkgutil
import signal
import sys

# What others need of this system, they take before it is gone.
OTHERS = """
    asyncio ctypes multiprocessing shelve sqlite3 subprocess tempfile uuid zipfile
    boto3 fsspec h5py lmdb numpy obstore pymongo pytest redis sqlalchemy
"""
MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
OF_OS = """
    O_CLOEXEC O_DIRECTORY O_DSYNC O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC O_TMPFILE WNOHANG
    chown fchmod fchown fdatasync fork forkpty fstatvfs getegid geteuid getgid getgroups getpgid getuid
    getxattr killpg lchown listxattr mkfifo mknod openpty posix_fadvise pread preadv pwrite pwritev
    register_at_fork removexattr sched_getaffinity sendfile setegid seteuid setgid setsid setuid setxattr
    splice statvfs sync sysconf uname wait
"""
OF_SIGNAL = "SIGALRM SIGHUP SIGKILL SIGUSR1 SIGUSR2 pthread_kill pthread_sigmask setitimer sigtimedwait"


class Hiding(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def leave_posix():
    for name in OTHERS.split():
        importlib.import_module(name)
    sys.meta_path.insert(0, Hiding())
    for name in MODULES:
        sys.modules.pop(name, None)
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    os.supports_dir_fd = os.supports_follow_symlinks = set()
    os.supports_fd = {os.stat, os.truncate}


def outcome(function, *arguments):
    try:
        return repr(function(*arguments))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def kept(store):
    """Return what a store holds after a write."""
    store.update(a="1")
    return dict(store)


def main():
    leave_posix()
    import holdall

    names = [info.name for info in pkgutil.walk_packages(holdall.__path__, "holdall.")]
    imports = {name: outcome(importlib.import_module, name) for name in names if name != "holdall.__main__"}
    failed = {name: told for name, told in imports.items() if not told.startswith("<module")}
    uses = {use: outcome(eval, use, {"holdall": holdall, "kept": kept}) for use in json.load(sys.stdin)}
    json.dump([len(imports), failed, uses], sys.stdout)


if __name__ == "__main__":
    main()
