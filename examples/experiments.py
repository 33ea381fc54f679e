"""Keep experiments: settings and results as JSON, arrays beside them, notes as text, in one folder.

python examples/experiments.py [FOLDER]
"""

import sys

import numpy as np

from holdall import MultiFormatStore

if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else "experiments"
    runs = MultiFormatStore(folder, "json", weights="npy", notes={"serializer": "text", "suffix": ".md"})
    for number, rate in enumerate([0.1, 0.01]):
        run = runs.get_subdict(f"run{number}")
        run.json["settings"] = {"rate": rate}
        run.weights["layer1"] = np.full((2, 2), rate)
        run.json["result"] = {"loss": 1.0 - rate}
    runs.notes["run1/remarks"] = "# Slow, but it converges\n"
    losses = {key: result["loss"] for key, result in runs.json.items() if key.endswith("/result")}
    best = min(losses, key=losses.__getitem__).partition("/")[0]
    print(f"{len(losses)} runs, the best is {best}: {runs.get_subdict(best).json['settings']}")
    print("written last:", runs.newest_keys(1))
    assert runs.weights[f"{best}/layer1"].shape == (2, 2)
