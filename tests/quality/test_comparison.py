"""The page on comparisons is what `benchmarks/page.py` makes of the results beside it."""

import re
from pathlib import Path

from benchmarks import page

import holdall

RESULTS = Path(page.RESULTS).read_text(encoding="utf-8")


def test_page_and_plots_are_those_of_the_results():
    text = Path(page.PAGE).read_text(encoding="utf-8")
    made, plots = page.made(text, RESULTS)
    assert made == text, "run: python benchmarks/page.py"
    assert {path.name for path in Path(page.PLOTS).iterdir()} == set(plots)
    for name, plot in plots.items():
        assert (Path(page.PLOTS) / name).read_text(encoding="utf-8") == plot
        assert len(plot) < 30_000


def test_it_was_measured_with_this_release():
    """A new minor version needs a new run: benchmarks/README.md says which."""
    (measured,) = re.findall(r"\bholdall (\d+\.\d+)\.", page.conditions(RESULTS))
    assert holdall.__version__.startswith(f"{measured}.")


def test_a_loss_is_listed():
    ratios = (("get", "holdall", "quick", "0.50 (0.49 to 0.51)", "raw", "0.4 (0.4 to 0.4)"),)
    table = page.Table(
        "Reads", (("get", "k/s"),), (("holdall", (page.Cell(1.0),)), ("quick", (page.Cell(2.0),))), ratios
    )
    assert "| Reads | get (holdall) | quick | 0.50 |" in page.losses([table])
    even = (("get", "holdall", "quick", "0.95 (0.9 to 1.0)", "raw", "-"),)
    assert "quick" not in page.losses([table._replace(ratios=even)])
