"""The page of the registry feed is true: its commands are run by an operator and a registry."""

from pathlib import Path
from typing import Any

from docs.console import Reader, blocks, steps
from feed.world import World
from parts import REPOSITORY
from tanzheng.anchor.devchain import Anvil
from tanzheng.core.feed import FeedStatus
from tanzheng.feed import access, push, server, webhook
from tanzheng.feed.authority import Authority
from tanzheng.feed.check import Checker
from tanzheng.feed.ledger import Outcome

PAGE = (REPOSITORY / "docs" / "registry-feed.md").read_text()


def test_the_page_shows_what_happens(anvil: Anvil, tmp_path: Path) -> None:
    world = World(anvil, tmp_path)
    world.confirm("U1", "1234567.40")
    world.write_trust()
    world.write_authority()
    reader = Reader(tmp_path)
    reader.variables |= {
        "RPC": anvil.url,
        "CONTRACT": world.emissions.address,
        "SINCE": str(world.block),
    }
    shown = steps(PAGE)
    assert len(shown) > 8
    try:
        for step in shown:
            reader.do(step)
    finally:
        reader.close()
    names = run_example(world)
    assert names["outcomes"] == [Outcome.BOOKED]
    names["ledger"].close()


def run_example(world: World) -> dict[str, Any]:
    """What the page's Python leaves behind."""
    (code,) = ("\n".join(lines) for _, language, lines in blocks(PAGE) if language == "python")
    authority = Authority.decode(world.write_authority().read_bytes())
    names: dict[str, Any] = {
        "path": world.folder / "own.sqlite",
        "checker": Checker(world.trust(), authority),
        "lines": world.lines(),
    }
    exec(compile(code, "registry-feed.md", "exec"), names)
    return names


def test_every_word_of_the_feed_is_explained() -> None:
    words = [*(f"`{status}`" for status in FeedStatus), *(f"`{each}`" for each in Outcome)]
    words += [server.NEXT, f"{server.ITEMS_MAX} items", f"{server.PAGE_BYTES_MAX >> 20} MiB"]
    words += [f"{webhook.REPLAY_S_MAX} s", f"{int(push.RETRY_S_MAX / 60)} min"]
    words += [f"{int(access.BUCKET_REQUESTS)} at once, {int(access.REFILL_PER_S)} a second"]
    headers = (webhook.KEY, webhook.TIMESTAMP, webhook.SIGNATURE)
    words += ["-".join(part.title() for part in header.split("-")) for header in headers]
    assert [word for word in words if word not in PAGE] == []
