"""README, documentation and examples are run; docstrings are complete."""

import doctest
import inspect
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import holdall

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture
def s3_server(monkeypatch):
    """Let boto3 find a server of S3 on loopback, as it finds AWS elsewhere."""
    pytest.importorskip("boto3")
    pytest.importorskip("moto")
    from s3._places import KEYS, moto

    with moto() as urls:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL_S3": urls["locked"]}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        yield


@pytest.mark.usefixtures("empty_memory")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "nine-tasks.md"],  # whose programs run in quality/test_nine_tasks
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_block_of_code_runs(page, tmp_path, monkeypatch, request):
    """The Python blocks of a page run in order, in one namespace and an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDALL_KEY", "")  # which serializers.md sets: it does not stay so
    if page.name == "s3.md":
        request.getfixturevalue("s3_server")
    if page.name == "datasets.md":
        shutil.unpack_archive(ROOT / "tests" / "archive" / "written_by_persist.zip", tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
    text = page.read_text(encoding="utf-8")
    if page.name in {"formats.md", "memoize.md", "redis.md"}:
        text = text.replace("redis://localhost:6379/0", request.getfixturevalue("redis_url"))
    if page.name in {"mongo.md", "formats.md"}:  # there is no server to be had for tests
        monkeypatch.setattr("pymongo.MongoClient", pytest.importorskip("mongomock").MongoClient)
    if page.name == "sql.md":
        text = text.replace(
            "postgresql://user:password@localhost/name", request.getfixturevalue("postgres_url")
        )
    if page.name == "recipes.md":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        text = text.replace("https://example.org/", request.getfixturevalue("web_url") + "/")
    namespace = {"__name__": "page"}
    for match in FENCE.finditer(text):
        code, line = match[1], text.count("\n", 0, match.start()) + 1
        if code.lstrip().startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line)
            runner = doctest.DocTestRunner(optionflags=FLAGS)
            messages: list[str] = []
            runner.run(test, out=messages.append, clear_globs=False)
            assert not runner.failures, "".join(messages)
            namespace = test.globs
        else:
            exec(compile("\n" * line + code, str(page), "exec"), namespace)


@pytest.mark.soak
def test_the_commands_of_the_page_say_what_it_shows(tmp_path):
    text = (ROOT / "docs" / "howto" / "command.md").read_text(encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    tried = 0
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            done = subprocess.run(
                ["bash", "-c", f"exec 2>&1; {command}"],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                check=False,
                text=True,
            )
            assert done.stdout == shown, command
            tried += 1
    assert tried > 10


def test_every_block_is_closed():
    """A block that is not closed swallows what follows, and builds all the same."""
    for page in PAGES:
        opened = None
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("```"):
                assert opened is None or line == "```", f"{page.name}:{opened} is not closed before {number}"
                opened = number if opened is None else None
        assert opened is None, f"{page.name}:{opened} is not closed"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_gives_the_command_that_ci_runs():
    command = (ROOT / ".ci" / "run").read_text().strip().splitlines()[-1]
    assert f"```bash\n{command}\n```" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "example",
    sorted({*(ROOT / "examples").glob("*.py")} - {ROOT / "examples" / "quickstart.py"}),  # run below
    ids=lambda path: path.name,
)
def test_examples_run_twice(example, tmp_path):
    """An example works in an empty folder, and again in the folder that it leaves."""
    for _ in range(
        1 if example.name == "s3_workers.py" else 2
    ):  # which leaves nothing, and is slow to import
        subprocess.run(
            [sys.executable, "-W", "error", str(example)],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=200,
        )


def test_quickstart_answers_from_the_store_the_second_time(tmp_path):
    outputs = [
        subprocess.run(
            [sys.executable, "-W", "error", str(ROOT / "examples" / "quickstart.py"), str(tmp_path / "kept")],
            check=True,
            capture_output=True,
            text=True,
            timeout=200,
        ).stdout
        for _ in range(2)
    ]
    modules = int(re.search(r"^(\d+) modules", outputs[0], re.MULTILINE)[1])
    assert modules > 100
    assert f"{modules} summaries computed, 0 answered" in outputs[0]
    assert f"0 summaries computed, {modules} answered" in outputs[1]
    assert len(list((tmp_path / "kept").glob("*.json"))) == modules
    assert all("took" in output and str(tmp_path) in output for output in outputs)


def _modules():
    yield holdall
    for found in walk_packages(holdall.__path__, "holdall."):
        yield import_module(found.name)


def test_every_public_function_and_class_is_documented():
    """Public things have a docstring, unless they override something that has one."""
    bare = []
    for module in _modules():
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            if not inspect.getdoc(thing):
                bare.append(f"{module.__name__}.{name}")
            if inspect.isclass(thing):
                for attribute in vars(thing):
                    member = inspect.getattr_static(thing, attribute)
                    known = isinstance(member, property) or inspect.isfunction(member)
                    public = known and not attribute.startswith("_")
                    if public and not inspect.getdoc(getattr(thing, attribute)):
                        bare.append(f"{module.__name__}.{name}.{attribute}")
    assert bare == []


def test_nothing_is_written_by_importing(tmp_path):
    env = {**os.environ, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [sys.executable, "-c", "import holdall; holdall.FileDirStore; holdall.MemoryStore()"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
    )
    assert list(tmp_path.iterdir()) == []


def test_the_readme_leads_to_every_example_and_names_where_each_store_is_imported_from():
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"\(examples/(\w+)\.py\)", text)) | {"quickstart"} == {
        path.stem for path in (ROOT / "examples").glob("*.py")
    }
    table = text.partition("## Two commands")[0]
    paths = [path.rsplit(".", 1) for path in re.findall(r"`(holdall\.[\w.]+)`", table)]
    names = re.findall(r"`(\w+(?:Store|Persister|Rows|Archive|Value))\b", table)
    assert paths
    for module, name in [*paths, *(("holdall", name) for name in names)]:
        assert hasattr(import_module(module), name), name
    assert len(text.splitlines()) < 200
