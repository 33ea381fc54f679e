"""Keep experiments: parameters are the key, results the value, a JSON file each; compare them as a table.

A second run trains nothing. Add a rate to the list, and only the new ones are trained.

    python examples/experiments.py [FOLDER]
"""

import itertools
import sys
from typing import Any

import pandas as pd

from holdall import FileDirStore
from holdall.keys import Template

RATES, SEEDS = [0.1, 0.01], [1, 2]


def train(model: str, rate: float, seed: int) -> dict[str, float]:
    """Stand for an hour of work."""
    loss = {"cnn": 1.0, "mlp": 2.0}[model] + seed / 10
    for _ in range(20):
        loss -= rate * loss
    return {"loss": round(loss, 6), "epochs": 20}


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else "experiments"
    names = Template("{model}/rate={rate:g}/seed={seed:d}.json", keys="dict")  # cnn/rate=0.1/seed=1.json
    runs: FileDirStore[Any, dict[str, float]] = FileDirStore(folder, serializer="json", keys=names)

    trained = 0
    for model, rate, seed in itertools.product(["cnn", "mlp"], RATES, SEEDS):
        parameters: dict[str, Any] = {"model": model, "rate": rate, "seed": seed}
        if parameters not in runs:
            runs[parameters] = train(**parameters)
            trained += 1
    print(f"{trained} trained, {len(runs)} known")

    # Weeks later: parameters and results side by side.
    table = pd.DataFrame([{**parameters, **results} for parameters, results in runs.items()])
    print(table.groupby(["model", "rate"])["loss"].mean())
    best = min(runs, key=lambda parameters: runs[parameters]["loss"])
    print("best:", best)
    assert best == {"model": "cnn", "rate": 0.1, "seed": 1}
    assert len(table) == len(runs) == 8
    assert len(runs.get_subdict({"model": "mlp"})) == 4
