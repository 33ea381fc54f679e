"""Where a package or a server is missing, the error says which, and how."""

import errno
import subprocess
import sys

import pytest

from engines._valkey import free_port
from holdall import FsspecStore, MongoStore, RedisStore, SQLRows, SQLStore, SQLTables
from holdall.errors import StoreUnavailableError

CASES = [
    *(
        (
            module,
            f"holdall.MemoryStore(serializer={serializer!r})",
            f"serializer {serializer!r} needs the package {package}: pip install 'holdall[{extra}]'",
        )
        for module, serializer, package, extra in (
            ("yaml", "yaml", "PyYAML", "yaml"),
            ("pandas", "parquet", "pandas", "parquet"),
            ("pyarrow", "parquet", "pyarrow", "parquet"),
            ("PIL", "image", "Pillow", "images"),
        )
    ),
    ("lmdb", "holdall.LmdbStore()", "LmdbStore needs the package lmdb: pip install 'holdall[lmdb]'"),
    (
        "redis",
        "holdall.open('redis://h')",
        "RedisStore needs the package redis: pip install 'holdall[redis]'",
    ),
    (
        "pymongo",
        "holdall.MongoStore(5)",
        "MongoStore needs the package pymongo: pip install 'holdall[mongo]'",
    ),
    (
        "fsspec",
        "holdall.FsspecStore('memory://x')",
        "needs the package fsspec: pip install 'holdall[fsspec]'",
    ),
    ("boto3", "holdall.S3Store('name')['a']", "S3 needs the package boto3: pip install 'holdall[s3]'"),
    (
        "obstore",
        "holdall.S3Store('name', engine='obstore')['a']",
        "needs the package obstore: pip install 'holdall[obstore]'",
    ),
    (
        "sqlalchemy",
        "holdall.SQLRows('mysql://h/n', 't')",
        "SQLRows needs the package SQLAlchemy: pip install",
    ),
    ("pymysql", "holdall.SQLRows('mysql://h/n', 't')", "mysql:// needs the package PyMySQL: pip install"),
    (
        "pymysql",
        "holdall.open('mariadb://h/n?table=t')",
        "needs the package PyMySQL: pip install 'holdall[sql]'",
    ),
    (
        "psycopg",
        "holdall.SQLTables('postgresql://h/n')",
        "postgresql:// needs the package psycopg: pip install",
    ),
    # What only another package needs, and drivers of others: no extra helps.
    ("typing_extensions", "holdall.SQLRows('mysql://h/n', 't')", "needs the module typing_extensions"),
    ("oracledb", "holdall.SQLRows('oracle+oracledb://h/n', 't')", "needs the module oracledb"),
    # What is there, and of another version.
    (
        "redis.backoff",
        "holdall.RedisStore('redis://h')",
        "cannot use the redis that is installed (No module",
    ),
    # What is no package of others at all.
    (
        "holdall.persisters.redis",
        "holdall.RedisStore('redis://h')",
        "ModuleNotFoundError: No module named 'holdall.",
    ),
]

HIDING = """
import os, sys

class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name == HIDDEN or name.startswith(HIDDEN + "."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import holdall
for number, (HIDDEN, use) in enumerate(eval(sys.argv[1])):
    if os.fork():
        os.wait()
        continue
    sys.meta_path.insert(0, Hiding())
    try:
        eval(use)
    except Exception as error:
        kind = "" if isinstance(error, holdall.UnsupportedError) else f"{type(error).__name__}: "
        print(number, kind + str(error).replace("\\n", " "), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def answers():
    """Give what each use says: in children of one process, which has imported holdall once."""
    done = subprocess.run(
        [sys.executable, "-c", HIDING, repr([(hidden, use) for hidden, use, _ in CASES])],
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return {case: told.get(str(number), "") for number, case in enumerate(CASES)}


@pytest.mark.parametrize(("hidden", "use", "expected"), CASES)
def test_the_missing_package_is_named(answers, hidden, use, expected):
    message = answers[hidden, use, expected]
    assert expected in message
    if "needs the module" in expected:
        assert "holdall[" not in message


@pytest.mark.parametrize(
    "use",
    [
        lambda address: RedisStore(f"redis://{address}/0")["a"],
        lambda address: RedisStore(f"redis://{address}/0").update(a=1),
        lambda address: MongoStore(f"mongodb://{address}/d.c?serverSelectionTimeoutMS=3000")["a"],
        lambda address: SQLStore(f"postgresql://user@{address}/d"),
        lambda address: SQLStore(f"mysql://user@{address}/d"),
        lambda address: SQLRows(f"postgresql://user@{address}/d", "t"),
        lambda address: SQLTables(f"mysql://user@{address}/d"),
        lambda address: FsspecStore(f"ftp://{address}/d"),
        lambda address: FsspecStore(f"sftp://user:word@{address}/d"),
        lambda address: FsspecStore(f"http://{address}/d")["a"],
    ],
)
def test_a_refused_connection_has_the_number_of_the_system(use):
    with pytest.raises(StoreUnavailableError) as caught:
        use(f"127.0.0.1:{free_port()}")
    assert caught.value.errno == errno.ECONNREFUSED
