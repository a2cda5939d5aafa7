"""Two workers of `tanzheng ingest run` that share the batches of all gateways."""

import re
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread

import pytest

from ingest.boxes import POINTS, Box, second_box
from ingest.service import WAIT_S_MAX, Uplink, ask, ingest, rows_once, until
from tanzheng.core.errors import BadInput
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.topics import (
    gateway_identifier,
    is_platform,
    may_publish,
    may_read,
    mosquitto_acl,
    platform_users,
)

BATCHES, SLOTS = 150, 4


def test_two_share_and_one_is_killed(broker: Broker, database_url: str, tmp_path: Path) -> None:
    """Each batch once, whoever took it; the second goes on without the first."""
    migrate(database_url)
    boxes = [Box(), second_box()]
    logs = []
    with ExitStack() as stack:
        workers = []
        for number in (1, 2):
            folder = tmp_path / str(number)
            folder.mkdir()
            logs.append(folder / "ingest.log")
            workers.append(
                stack.enter_context(
                    ingest(broker, database_url, folder, *boxes, options=["--worker", str(number)])
                )
            )
        for log in logs:
            until(lambda: log.exists() and "connected to the broker" in log.read_text())  # noqa: B023
        uplinks = [stack.enter_context(closing(Uplink(broker, box))) for box in boxes]
        signed = [box.chain(BATCHES, SLOTS) for box in boxes]
        senders = [
            Thread(target=uplink.deliver, args=chain)
            for uplink, chain in zip(uplinks, signed, strict=True)
        ]
        for sender in senders:
            sender.start()
        until(lambda: min(uplink.head for uplink in uplinks) > BATCHES // 10)
        workers[0].kill()
        for sender in senders:
            sender.join()
        workers[1].terminate()
        assert workers[1].wait(WAIT_S_MAX) == 0
    assert rows_once(database_url) == 2 * BATCHES * SLOTS * len(POINTS)
    assert ask(database_url, "SELECT head_epoch, head_seq FROM gateway") == 2 * [(1, BATCHES)]
    assert ask(database_url, "SELECT count(*) FROM quarantine WHERE accepted_at IS NULL") == [(0,)]
    [accepted] = re.findall(r"accepted (\d+)", logs[1].read_text().splitlines()[-1])
    assert 0 < int(accepted) < 2 * BATCHES, "one of them did all of it"


def test_each_worker_is_a_user_of_its_own() -> None:
    users = platform_users(3)
    assert users == ["platform", "platform-2", "platform-3"]
    for user in users:
        assert may_publish(user, "tanzheng/v1/gw1/ack")
        assert may_read(user, "tanzheng/v1/gw1/batch")
        assert not may_publish(user, "tanzheng/v1/gw1/batch")
        with pytest.raises(BadInput, match="own users"):
            gateway_identifier(user)
    assert not is_platform("platform-gw1")
    assert [line for line in mosquitto_acl(3).splitlines() if line.startswith("user")] == [
        f"user {user}" for user in users
    ]
