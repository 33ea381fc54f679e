"""The documentation builds without a warning: links, names in the reference, and markup."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

# Sphinx, without looking for garbage, which is a quarter of its time: trees of pages hold themselves.
BUILD = "import gc, sys; gc.disable(); from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.skipif(not (ROOT / "src").exists(), reason="an installed package is tested, without its sources")
@pytest.mark.parametrize("builder", ["dummy", pytest.param("html", marks=pytest.mark.soak)])
def test_the_pages_build_without_a_warning(builder, tmp_path):
    """`dummy` reads and resolves everything, and only leaves out what themes make of it."""
    where = ["-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "out")]
    run = subprocess.run(
        [sys.executable, "-c", BUILD, "-W", "--keep-going", "-n", "-q", "-b", builder, *where],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert run.returncode == 0, run.stderr
    if builder == "html":
        assert "holdall" in (tmp_path / "out" / "index.html").read_text()
