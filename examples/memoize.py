"""Count words in the sources of the standard library, once: run it twice, or several at a time.

python examples/memoize.py [results.db]
"""

import asyncio
import collections
import sys
import sysconfig
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import holdall

RESULTS = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].endswith(".db") else "results.db"
MODULES = 60


@holdall.memoize(RESULTS, ignore="folder", readable=True)
def words(folder: Path, name: str) -> dict[str, int]:
    """Count the words of a module that begin with a capital letter."""
    text = (folder / name).read_text(encoding="utf-8", errors="replace")
    return dict(collections.Counter(word for word in text.split() if word.istitle()))


@holdall.memoize(RESULTS)
async def commonest(names: list[str], *, top: int = 3) -> list[str]:
    """Give the words that occur in most modules."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    await asyncio.sleep(0)
    counts: collections.Counter[str] = collections.Counter()
    for name in names:
        counts.update(words(folder, name).keys())
    return [word for word, _ in counts.most_common(top)]


def main() -> None:
    """Count in several processes, then ask for the sum."""
    started = time.perf_counter()
    folder = Path(sysconfig.get_paths()["stdlib"])
    names = sorted(path.name for path in folder.glob("*.py"))[:MODULES]
    with ProcessPoolExecutor(2) as pool:  # each module is counted by one of the two, though both are asked
        counted = list(pool.map(words, [folder] * 2 * len(names), names * 2))
    assert counted[: len(names)] == counted[len(names) :]
    print(f"most common: {', '.join(asyncio.run(commonest(names)))}")
    print(f"{len(words.entries)} modules counted, for example {next(iter(words.entries)).partition(' #')[0]}")
    print(f"this time {words.cache_info().misses + commonest.cache_info().misses} calls computed here")
    print(f"took {time.perf_counter() - started:.3f} seconds")


if __name__ == "__main__":
    main()
