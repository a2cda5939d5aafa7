"""Each fault of the platform's entrance, made to happen."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from acceptance.little_disk import fill
from ingest.boxes import NOW_MS
from ingest.faults import poison
from ingest.faults.counting import open_refusals
from ingest.faults.place import Place, wait_for
from tanzheng.ingest.decide import Reason

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` and `name_zh` as in the table; `happen` leaves everything settled."""

    name: str
    name_zh: str
    happen: Callable[[Place], None]
    protection: str
    of_database: bool
    small: bool


FAULTS: list[Fault] = []


def fault(
    name: str, name_zh: str, protection: str = "", *, of_database: bool = False, small: bool = False
) -> Callable[[Callable[[Place], None]], Callable[[Place], None]]:
    """Register the decorated function. `small`: the database's disk is."""

    def register(happen: Callable[[Place], None]) -> Callable[[Place], None]:
        FAULTS.append(Fault(name, name_zh, happen, protection, of_database, small))
        return happen

    return register


@fault(
    "database killed −9 in mid COPY",
    "COPY 中途强杀数据库",
    "ledger and rows in one transaction",
    of_database=True,
)
def database_killed_in_copy(place: Place) -> None:
    for _ in place.times(3, 10):
        place.offer(20, slots=1500)
        wait_for(lambda: copying(place))
        time.sleep(place.random.uniform(0, 0.03))
        place.database_killed()
        place.server.start()
        place.settle()


def copying(place: Place) -> bool:
    """Whether a COPY is under way (TimescaleDB's own is not in pg_stat_progress_copy)."""
    with psycopg.connect(place.service.url) as connection:
        found = connection.execute(
            "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY reading%'"
        )
        return found.fetchone() is not None


@fault("database down", "数据库停机", "the database is tried again", of_database=True)
def database_down(place: Place) -> None:
    for _ in place.times(1, 1):
        with place.flow(every_s=place.choose(0.04, 0.5)):
            place.progress()
            place.database_killed()
            time.sleep(place.choose(20, 600))
            place.server.start()
        place.settle()


@fault("database frozen", "数据库冻结", of_database=True)
def database_frozen(place: Place) -> None:
    for _ in place.times(1, 5):
        with place.flow():
            place.progress()
            with place.database_frozen():
                time.sleep(place.random.uniform(5, place.choose(10, 60)))
        place.settle()


@fault(
    "disk full under the database",
    "数据库磁盘写满",
    "the database is tried again",
    of_database=True,
    small=True,
)
def disk_full(place: Place) -> None:
    ballast = place.disk / "ballast"
    for _ in place.times(1, 5):
        before = place.service.said.count("database away")
        with place.flow():
            place.progress()
            fill(ballast)
            place.offer(30, slots=1500)
            wait_for(lambda: place.service.said.count("database away") > before + 2)  # noqa: B023
            ballast.unlink()
            if not place.answers:
                place.server.kill()
                place.server.start()
            place.progress()
        place.settle()


@fault("ingest killed −9 at random", "随机强杀接收服务", "acks after the commit only")
def ingest_killed(place: Place) -> None:
    with place.flow(every_s=0.02):
        for _ in place.times(5, 50):
            time.sleep(place.random.uniform(0.6, 2.5))  # it takes half a second to start
            place.service.kill()
            place.service.start()
    place.settle()


@fault("ingest stopped and started again (SIGTERM)", "正常停止并重启接收服务")
def ingest_stopped(place: Place) -> None:
    with place.flow(every_s=0.02):
        for _ in place.times(3, 20):
            place.progress()
            assert place.service.terminate() == 0
            place.service.start()
    place.settle()


@fault("broker killed, stopped, restarted", "消息代理强杀与重启")
def broker_restarted(place: Place) -> None:
    with place.flow():
        for number in place.times(2, 20):
            place.progress()
            (place.broker.kill if number % 2 == 0 else place.broker.stop)()
            time.sleep(place.random.uniform(0, 2))
            place.broker.start()
        place.progress()
    place.settle()


@fault("broker frozen", "消息代理冻结")
def broker_frozen(place: Place) -> None:
    for _ in place.times(1, 5):
        with place.flow():
            place.progress()
            place.broker.pause()
            time.sleep(place.random.uniform(5, place.choose(10, 60)))
            place.broker.resume()
        place.settle()


@fault("every batch three times", "批次重复三次", "known by gateway, epoch and sequence")
def duplicates(place: Place) -> None:
    for sender in place.senders:
        sender.copies = 3
    for _ in place.times(200, 3000):
        place.offer(1)
    place.settle()


@fault("batches in any order", "批次乱序")
def reordered(place: Place) -> None:
    for sender in place.senders:
        sender.copies, sender.shuffled = 2, True
    for _ in place.times(200, 3000):
        place.offer(1)
    place.settle()


@fault("a gateway's clock a day ahead, then right", "网关时钟超前一天后校正")
def clock_ahead(place: Place) -> None:
    set_clock(place, NOW_MS)
    other, ahead = place.senders
    ahead.offer(5, 10)
    true_ms, ahead.box.t_ms = ahead.box.t_ms, NOW_MS + DAY_MS
    for _ in place.times(3, 50):
        ahead.offer(1, 10)
    ahead.box.t_ms = true_ms
    ahead.offer(20, 10)
    other.offer(200, 10)
    wait_for(lambda: other.delivered == 200 and ahead.delivered == 5)
    wait_for(lambda: kept(place) == {Reason.FUTURE: place.happened})
    set_clock(place, NOW_MS + 2 * DAY_MS)
    place.settle()


def set_clock(place: Place, now_ms: int) -> None:
    """The platform's wall clock; the service is started anew with it."""
    place.service.clock.write_text(str(now_ms))
    place.service.kill()
    place.service.start()


def kept(place: Place) -> Counter[str]:
    """What the quarantine holds now."""
    with psycopg.connect(place.service.url) as connection:
        return open_refusals(connection)


@fault(
    "poison among good batches: forms, signatures, wrong types",
    "正常批次中混入坏消息",
    "a bad message costs that message only",
)
def poisoned(place: Place) -> None:
    with place.flow(every_s=0.02):
        sender = place.senders[0]
        for payload, reason in [*poison.zoo(sender.box), *poison.wrong_types(sender.box)]:
            sender.publish_payload(payload)
            place.refusals[reason] += 1
            place.happened += 1
            time.sleep(0.005)
        wait_for(lambda: kept(place) == place.refusals)
        place.progress()
    place.settle()


@fault(
    "messages that unpack to 1 GB",
    "解压后达 1 GB 的消息",
    "the size is read before memory is given",
)
def bombs(place: Place) -> None:
    with place.flow():
        place.progress()
        for payload, reason in poison.bombs():
            for sender in place.senders:
                sender.publish_payload(payload)
                place.refusals[reason] += 1
                place.happened += 1
        wait_for(lambda: kept(place) == place.refusals)
        place.progress()
    place.settle()
