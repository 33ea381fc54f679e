"""Memoize an asynchronous client: a crowd of tasks that want one page ask for it once.

python examples/async_client.py
"""

import asyncio

from holdall import memoize

asked: list[str] = []


@memoize("pages.db", ttl=3600, version=1)
async def page(url: str) -> str:
    """Pretend to download a page."""
    asked.append(url)
    await asyncio.sleep(0.05)
    return f"<h1>{url}</h1>"


async def main() -> None:
    """Ask for two pages, fifty times each and all at once."""
    pages = await asyncio.gather(*(page(f"https://example.org/{n % 2}") for n in range(100)))
    info = page.cache_info()
    print(
        f"{len(pages)} pages, {len(asked)} downloads, {info.hits} hits, {info.store_hits} from the last run"
    )
    assert len(asked) in {0, 2}


if __name__ == "__main__":
    asyncio.run(main())
