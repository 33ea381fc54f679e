"""Style, types and the direction of imports, as part of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent

CHECKS = {
    "style": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "imports": ["lint-imports", "--no-cache"],
}


@pytest.mark.skipif(not (ROOT / "src").exists(), reason="an installed package is tested, without its sources")
@pytest.mark.parametrize("check", CHECKS)
def test_quality(check):
    program, *arguments = CHECKS[check]
    path = SCRIPTS / program
    if not path.exists():
        pytest.fail(f"{program} is not installed: pip install --group test")
    run = subprocess.run(
        [str(path), *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert run.returncode == 0, run.stdout + run.stderr
