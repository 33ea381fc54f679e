"""Sessions for developers: `nox -l` lists them, `nox` runs the quick ones."""

import os
import random
import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]

nox.options.error_on_missing_interpreters = False  # those that are there are used
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "lint", "types", "imports"]


def install(session: nox.Session, *extras: str, group: str | None = "test") -> None:
    session.install("-qU", "pip")
    session.install("-q", "-e", f".[{','.join(extras)}]" if extras else ".")
    if group:
        session.run("pip", "install", "-q", "--group", group)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run all tests, on each Python that is there; ``nox -s tests-3.12 -- tests/unit`` runs some on one."""
    install(session, "all")
    session.run("pytest", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Run the tests that take minutes, and the combinations of stores, wrappers, codecs and formats."""
    install(session, "all")
    session.run("pytest", "-m", "soak", "-n0", "--timeout=3600", *session.posargs)


@nox.session(name="s3-real")
def s3_real(session: nox.Session) -> None:
    """Run the tests of S3 on a real server: radosgw, from Debian's packages, unpacked in a folder of ours."""
    install(session, "all")
    folder = session.create_tmp()
    options = ["-n4", "-m", "soak or not soak", "--timeout=900", "-rs"]
    tests = ["python", "-m", "pytest", "tests/s3", *options, *session.posargs]
    session.run("python", "-m", "s3._radosgw", folder, *tests, env={"PYTHONPATH": "tests"})


@nox.session
def corpus(session: nox.Session) -> None:
    """Compare what is read of files of this machine, or of folders, with reference readers."""
    install(session, "all")
    session.run("python", "tests/corpus/survey.py", *session.posargs)


@nox.session
def explore(session: nox.Session) -> None:
    """Try all properties and machines with many new examples, in a new order.

    What fails is printed so that it can be pasted: the arguments into an ``@example``, the steps of a machine
    into a test. `nox -s explore -- --randomly-seed=N --hypothesis-seed=N` repeats a run.
    """
    install(session, "all")
    seed = str(random.randrange(2**32))
    session.run(
        "pytest",
        "--hypothesis-profile=explore",
        "-m",
        "hypothesis",
        f"--randomly-seed={seed}",
        f"--hypothesis-seed={seed}",
        "--timeout=3600",
        *session.posargs,
    )


@nox.session
def mariadb(session: nox.Session) -> None:
    """Run the tests of SQL on MariaDB: that of HOLDALL_TEST_MYSQL, else one from Debian's packages, unpacked.

    The latter runs twice, the second time with settings that cut what is too long, and small packets.
    """
    install(session, "all")
    files = ["test_sql.py", "test_sql_contract.py", "test_sql_rows.py"]
    options = ["-m", "soak or not soak", "-k", "mysql or Mysql", "--timeout=900"]
    tests = ["python", "-m", "pytest", *(f"tests/engines/{name}" for name in files), *options]
    tests += session.posargs
    if os.environ.get("HOLDALL_TEST_MYSQL"):
        session.run(*tests)
        return
    folder = session.create_tmp()
    for settings in ([], ["--sql-mode=", "--max-allowed-packet=8M"]):
        server = ["python", "-m", "engines._mariadb", folder, *settings, "--"]
        session.run(*server, *tests, env={"PYTHONPATH": "tests"})


@nox.session
def mongo(session: nox.Session) -> None:
    """Run the tests of MongoDB on the server of HOLDALL_TEST_MONGO, else on one that speaks its protocol."""
    install(session, "all")
    tests = ["python", "-m", "pytest", "tests/engines/test_mongo_server.py", "-m", "soak", "--timeout=900"]
    tests += session.posargs
    if os.environ.get("HOLDALL_TEST_MONGO"):
        session.run(*tests)
        return
    session.install("-q", "secantusdb>=0.7.0b3")
    server = ["python", "-m", "engines._secantus", session.create_tmp(), "--"]
    session.run(*server, *tests, env={"PYTHONPATH": "tests"})


@nox.session
def browser(session: nox.Session) -> None:
    """Show the pages of `holdall serve` in a real browser: Chromium, which Debian has by that name."""
    if not (os.environ.get("HOLDALL_TEST_BROWSER") or shutil.which("chromium")):
        session.error(
            "no Chromium is here: apt-get install chromium, or set HOLDALL_TEST_BROWSER to its path"
        )
    install(session, "all")
    session.run("pytest", "tests/serve", "-n0", "-m", "soak or not soak", *session.posargs)


@nox.session
def minimal(session: nox.Session) -> None:
    """Run the tests that need no optional package, with none installed but the testing one."""
    install(session, "testing", group=None)
    session.install(
        "-q", "pytest-randomly", "pytest-timeout", "pytest-xdist"
    )  # the options of pytest name them
    tests = ["tests/conformance", "tests/golden", "tests/processes", "tests/properties/test_keys.py"]
    arrays = ["--ignore=tests/conformance/test_hdf5.py", "--ignore-glob=*dataset*"]
    session.run("pytest", *tests, *arrays, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    install(session, group="test")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, on the sources and on the typing tests."""
    install(session, "all")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """Check that imports go down the layers of the design."""
    install(session, "all")
    session.run("lint-imports")


@nox.session
def doctest(session: nox.Session) -> None:
    """Run the examples in README, docs and docstrings."""
    install(session, "all")
    session.run("pytest", "tests/unit/test_docs.py", "src", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, as HTML in build/docs."""
    install(session, "all", group="docs")
    session.run("sphinx-build", "-W", "-n", "-q", "-b", "html", "docs", "build/docs")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, beside their peers."""
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which branches are taken by the tests that need no server, and hold what was reached.

    Processes that tests start are counted, too. With paths as arguments, those are run, and nothing is held.
    """
    install(session, "all")
    session.run("pip", "install", "-q", "--group", "coverage")
    folders = "archive cli conformance golden memo migrate properties scripts serve spill unit"
    paths = session.posargs or [f"tests/{name}" for name in folders.split()]
    options = ["--cov", "--cov-report=term:skip-covered"]
    if session.posargs:
        options.append("--cov-fail-under=0")
    # What measures is itself imported; and processes of other users cannot write what they have measured.
    left_out = "not quality and not small_import and not next_to_nothing and not no_optional_package"
    session.run("pytest", *options, "-k", left_out, *paths)


@nox.session
def package(session: nox.Session) -> None:
    """Build wheel and sdist, check what is in them, and use the wheel alone in a new environment."""
    session.install("-qU", "pip", "build", "twine>=6.1")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "-q", "--outdir", "dist")
    files = sorted(map(str, (ROOT / "dist").iterdir()))
    session.run("twine", "check", "--strict", *files)
    session.run("python", ".ci/check_package.py", *files)
    place = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "venv", "--clear", f"{place}/venv")
    python = f"{place}/venv/bin/python"
    wheel = next(file for file in files if file.endswith(".whl"))
    session.run(python, "-m", "pip", "install", "-q", wheel, external=True)
    use = ROOT / ".ci" / "use_package.py"
    session.chdir(place)
    session.run(python, "-I", use, external=True)


@nox.session
def installed(session: nox.Session) -> None:
    """Run all tests on the wheel, with the sources out of reach."""
    session.install("-qU", "pip", "build")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "-q", "--outdir", "dist")
    wheel = next((ROOT / "dist").glob("*.whl"))
    place = Path(session.create_tmp()) / "checkout"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(
        ROOT,
        place,
        ignore=shutil.ignore_patterns(
            "src", ".git", ".nox", ".venv", ".*_cache", "dist", "build", ".benchmarks"
        ),
    )
    session.install("-q", f"{wheel}[all]")
    session.chdir(place)
    session.run("pip", "install", "-q", "--group", "test")
    session.run("pytest", "tests", "README.md", "docs", "-o", "testpaths=tests", *session.posargs)
