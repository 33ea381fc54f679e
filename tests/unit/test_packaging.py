"""The recipe for conda says what pyproject.toml says."""

import re
import tomllib
from pathlib import Path

import pytest

import holdall

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / ".ci" / "conda" / "meta.yaml"

pytestmark = pytest.mark.skipif(not (ROOT / "src").exists(), reason="an installed package is tested")


@pytest.fixture
def recipe():
    """Return the recipe as conda-build reads it."""
    jinja2, yaml = pytest.importorskip("jinja2"), pytest.importorskip("yaml")

    def load_file_regex(load_file, regex_pattern, *, from_recipe_dir):
        assert from_recipe_dir
        return re.search(regex_pattern, (RECIPE.parent / load_file).read_text())

    template = jinja2.Template(RECIPE.read_text(), undefined=jinja2.StrictUndefined)
    return yaml.safe_load(template.render(load_file_regex=load_file_regex, PYTHON="python"))


def plain(requirement):
    """Return a requirement without the space that one of the two writes."""
    return requirement.replace(" ", "")


def test_version_and_requirements(recipe):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = project["project"]
    assert recipe["package"] == {"name": needed["name"], "version": holdall.__version__}
    python = f"python{needed['requires-python']}"
    assert set(map(plain, recipe["requirements"]["run"])) == {python, *map(plain, needed["dependencies"])}
    build = {*map(plain, project["build-system"]["requires"]), python, "pip"}
    assert set(map(plain, recipe["requirements"]["host"])) == build
    commands = [f"{name} = {target}" for name, target in needed["scripts"].items()]
    assert recipe["build"]["entry_points"] == commands


def test_what_the_recipe_runs_is_there(recipe):
    assert (RECIPE.parent / recipe["source"]["path"]).resolve() == ROOT
    assert (
        recipe["about"]["summary"]
        == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["description"]
    )
    for file in recipe["test"]["source_files"]:
        assert (ROOT / file).is_file()
