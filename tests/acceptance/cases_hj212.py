"""What HJ 212 loggers do to whoever receives them; each sends on until it is answered 9014."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from acceptance.case import Scene, case
from acceptance.cases_serial import came
from acceptance.cases_serial import judged as counted
from acceptance.judge import Verdict
from acceptance.loggers import Logger, LoggerSide, Upload, crc, frame, plain
from acceptance.serial_slaves import rtu_crc
from acceptance.site import Run, Site, running
from edge.world import readings, wait_until

FIELD = "so2_mg_per_m3"
LOGGER_PROFILE = f"""id: counting
vendor: test
models: [none]
kind: CEMS
protocol: hj212
transport: [tcp]
suffix: Rtd
trust: ours
source: [{{note: "counts its frames"}}]
points:
- {{id: so2, code: a21026, unit: mg/m3, field: {FIELD}}}
"""
MN = "010000A8900016F000169DC0"
SM4_KEY = bytes(range(16))


def site_of(scene: Scene, loggers: Sequence[Logger]) -> Site:
    return Site(
        scene.folder, scene.gateway_url, scene.platform_url, [LoggerSide(loggers)],
        interval_ms=1000, profile=LOGGER_PROFILE, fields=(FIELD,), pushed=True,
    )  # fmt: skip


def judged(run: Run, missed: int) -> Verdict:
    """The count; a value that is not of the instant it was sent for is a wrong one."""
    verdict = counted(run, missed)
    times = {
        f"d{number}/{FIELD}": logger.times
        for number, logger in enumerate(run.site.slaves, 1)
        if isinstance(logger, Logger)
    }
    elsewhere = [
        value
        for point, t_ms, value in readings(run.platform.batches)
        if value in times[point] and times[point][value] != t_ms
    ]
    return verdict.with_wrong_quality(len(elsewhere))


def sent(
    scene: Scene, make: Callable[[Logger, int], Upload], count: int = 10, **link: object
) -> Verdict:
    """One logger sends so many uploads, each made by `make`."""
    with running(site_of(scene, [Logger(1, mn=MN, make=make, link=link)]), scene.without) as run:
        missed = came(run, count)
        return judged(run, missed)


def deviations(run: Run, name: str) -> int:
    """Frames told with that deviation."""
    return sum(name in str(event.detail["deviations"]).split() for event in run.events("frame"))


@case(
    "HJ 212 frames cut at every byte",
    "HJ 212 帧在每个字节处拆分",
    "frames are put together from pieces",
)
def cut_anywhere(scene: Scene) -> Verdict:
    def cut(logger: Logger, number: int) -> Upload:
        upload = plain(logger, number)
        (whole,) = upload.pieces
        at = 1 + number % (len(whole) - 1)
        return Upload([whole[:at], whole[at:]], upload.qn)

    return sent(scene, cut, 170)


@case("two HJ 212 frames in one TCP segment", "一个 TCP 段含两帧", "a read may hold several frames")
def glued(scene: Scene) -> Verdict:
    def two(logger: Logger, number: int) -> Upload:
        logger.number += 1
        logger.offer(number + 1, number + 1)
        both = plain(logger, number), plain(logger, number + 1)
        return Upload([b"".join(each.pieces[0] for each in both)], both[1].qn)

    return sent(scene, two, 40)


@case("## inside of an HJ 212 frame", "HJ 212 帧内容含 ##", "a ## inside of a frame begins none")
def head_inside(scene: Scene) -> Verdict:
    def inside(logger: Logger, number: int) -> Upload:
        return logger.upload(number, logger.segment(number, ";i13001-Info=##0080QN=1##"))

    return sent(scene, inside, 20)


@case("CRC in lower case", "CRC 为小写", "a check sum in either case")
def lower_case(scene: Scene) -> Verdict:
    def lower(logger: Logger, number: int) -> Upload:
        segment = logger.segment(number)
        return logger.upload(number, segment, b"%04x" % crc(segment))

    with running(site_of(scene, [Logger(1, mn=MN, make=lower)]), scene.without) as run:
        missed = came(run, 30)
        verdict = judged(run, missed)
        return verdict.with_wrong_quality(not deviations(run, "crc_lower_case"))


@case("CRC-16/MODBUS instead of the standard's", "CRC 误用 MODBUS 算法", "check sum of a frame")
def modbus_crc(scene: Scene) -> Verdict:
    """Taken, and told, where the link allows it; refused, and told, where it does not."""

    def modbus(logger: Logger, number: int) -> Upload:
        segment = logger.segment(number)
        upload = logger.upload(number, segment, rtu_crc(segment).hex().upper().encode())
        return upload if logger.offers else Upload(upload.pieces)

    strict = Logger(1, mn=MN[:-1] + "1", make=modbus, offers=False)
    lenient = Logger(2, mn=MN, make=modbus, link={"crc": "modbus_le"})
    with running(site_of(scene, [strict, lenient]), scene.without) as run:
        missed = came(run, 20)
        wait_until(lambda: strict.number > 5, "frames that are refused")
        verdict = judged(run, missed)
        refused = [event.detail["refused"] for event in run.events("frame_refused")]
        told = deviations(run, "crc_modbus_le") and refused == ["crc"]
    return verdict.with_wrong_quality(not told)


@case("an HJ 212 frame of 1623 bytes", "1623 字节的 HJ 212 帧", "a frame may be longer than 1024")
def long_frame(scene: Scene) -> Verdict:
    def long(logger: Logger, number: int) -> Upload:
        short = len(frame(logger.segment(number, ";i13001-Info=")))
        segment = logger.segment(number, ";i13001-Info=" + "x" * (1623 - short))
        assert len(frame(segment)) == 1623
        return logger.upload(number, segment)

    return sent(scene, long, 20)


def packet(logger: Logger, number: int, place: int, total: int) -> bytes:
    """One packet of an upload, on the wire."""
    return frame(logger.segment(number, fields=f"PNUM={total};PNO={place};"))


@case("packets of an upload out of order, one missing", "分包乱序且缺一包", "packets in any order")
def out_of_order(scene: Scene) -> Verdict:
    """Packet 2 of 4 never comes: what the others bring is kept. Each has a value of its own."""

    def upload(logger: Logger, number: int) -> Upload:
        pieces = []
        for place in (3, 1, 4):
            if place != 3:
                logger.number += 1
                logger.offer(logger.number, logger.number)
            pieces.append(packet(logger, logger.number, place, 4))
        return Upload([b"".join(pieces)], logger.qn(number).encode())

    return sent(scene, upload, 30)


@case("a packet of an upload that never comes", "分包中一包始终未到", "missing packets are told")
def packet_missing(scene: Scene) -> Verdict:
    """Told after minutes, or where 256 newer uploads wait for packets as well."""

    def uploads(logger: Logger, number: int) -> Upload:
        pieces = [packet(logger, number, 1, 2)]
        for _ in range(19):
            logger.number += 1
            logger.offer(logger.number, logger.number)
            pieces.append(packet(logger, logger.number, 1, 2))
        return Upload([b"".join(pieces)], logger.qn(number).encode())

    with running(site_of(scene, [Logger(1, mn=MN, make=uploads)]), scene.without) as run:
        missed = came(run, 280)
        verdict = judged(run, missed)
        told = [event.detail["missing"] for event in run.events("packets_missing")]
    return verdict.with_wrong_quality(not told or set(told) != {"2"})


def sm4(content: bytes) -> bytes:
    """Whole blocks encrypted, the rest as it is (HJ 212-2025 §6.4.2)."""
    whole = len(content) - len(content) % 16
    cipher = Cipher(algorithms.SM4(SM4_KEY), modes.ECB()).encryptor()
    return cipher.update(content[:whole]) + cipher.finalize() + content[whole:]


@case(
    "SM4 ciphertext with CR LF in it",
    "SM4 密文内含回车换行",
    "a line end inside of a frame ends none",
)
def line_end_inside(scene: Scene) -> Verdict:
    blocks = (b"%016d" % number for number in range(1_000_000))
    block = next(block for block in blocks if b"\r\n" in sm4(block)).decode()

    def encrypted(logger: Logger, number: int) -> Upload:
        before = ";i13001-Info="
        before += "x" * (-len(logger.text(number, before)) % 16)
        hidden = sm4(logger.text(number, before + block))
        assert b"\r\n" in hidden
        check = b"%04X" % crc(logger.segment(number, before + block))
        return logger.upload(number, logger.segment(number, cp=hidden), check)

    (scene.folder / "sm4.key").write_text(SM4_KEY.hex())
    return sent(scene, encrypted, 10, sm4_key_file=str(scene.folder / "sm4.key"))


@case(
    "agent killed at random, loggers send on until they are answered",
    "代理随机被杀，数采仪重发直至收到 9014",
    "answered when durable",
)
def killed(scene: Scene) -> Verdict:
    chance = random.Random(scene.folder.name)

    def again(logger: Logger, number: int) -> Upload:
        return plain(logger, number)

    loggers = [Logger(1, mn=MN, make=again), Logger(2, mn=MN[:-1] + "1", make=again)]
    site = site_of(scene, loggers)
    with running(site, scene.without) as run:
        missed = 0
        for _ in range(6):
            missed += came(run, chance.randrange(2, 12))
            run.gateway.kill()
            run.gateway = site.start(scene.without)
        missed += came(run, 5)
        return judged(run, missed)


@case(
    "frames sent again although they were answered",
    "已应答的帧被重复发送",
    "a frame that comes again is known",
)
def sent_again(scene: Scene) -> Verdict:
    def resent(logger: Logger, number: int) -> Upload:
        """The second frame says that it is a repetition (RF=1): other bytes, the same value."""
        upload = plain(logger, number)
        marked = logger.segment(number, fields="RF=1;")
        return Upload([upload.pieces[0] + frame(marked)], upload.qn)

    logger = Logger(1, mn=MN, make=resent)
    with running(site_of(scene, [logger]), scene.without) as run:
        missed = came(run, 20)
        send_all_again(run, logger)
        return judged(run, missed)


def send_all_again(run: Run, logger: Logger) -> None:
    """The logger lost its memory: when all is stored it begins anew, and comes to the end."""
    logger.waits = True
    wait_until(lambda: not run.lost(), "everything stored")
    logger.last, logger.number, logger.offers, logger.waits = logger.number, 0, False, False
    wait_until(lambda: logger.number == logger.last, "all sent again")


@case(
    "answers lost, agent restarted, frames sent again",
    "应答丢失且代理重启后重发",
    "what was taken before a restart is known",
)
def sent_again_after_restart(scene: Scene) -> Verdict:
    logger = Logger(1, mn=MN)
    site = site_of(scene, [logger])
    with running(site, scene.without) as run:
        missed = came(run, 20)
        logger.waits = True
        run.gateway.kill()
        run.gateway = site.start(scene.without)
        send_all_again(run, logger)
        return judged(run, missed)


@case(
    "back-fill (RF=1) of an hour ago between live frames",
    "实时数据之间补传一小时前数据（RF=1）",
    "a value is of its sender's time",
)
def back_filled(scene: Scene) -> Verdict:
    def older(logger: Logger, number: int) -> Upload:
        """Each second upload is of a time before all that came so far."""
        if number % 2:
            return plain(logger, number)
        logger.answered.pop()
        second = -3600 - number
        logger.offer(number, second)
        value = f"DataTime={logger.time_text(second)};a21026-Rtd={number},a21026-Flag=N"
        return logger.upload(number, logger.segment(number, fields="RF=1;", cp=value.encode()))

    return sent(scene, older, 20)


class Forgetful(Logger):
    """Sends each second, at its second; from the fifth upload on every fourth is never sent."""

    def next(self) -> Upload:
        self.number += 1
        if len(self.answered) > 4 and self.number % 4 == 0:
            self.number += 1
        if not self.answered:
            self.number = int(time.time()) - self.start_s
        time.sleep(max(0.0, self.start_s + self.number - time.time()))
        self.offer(self.number, self.number)
        return plain(self, self.number)


@case(
    "uploads that a logger never sends",
    "数采仪漏传部分数据",
    "each slot of a sender is a reading or a gap",
)
def never_sent(scene: Scene) -> Verdict:
    logger = Forgetful(1, mn=MN)
    with running(replace(site_of(scene, [logger]), pushed=False), scene.without) as run:
        missed = came(run, 12)
        logger.waits = True
        last_ms = max(logger.times.values())
        wait_until(lambda: max(run.gap_slots(f"d1/{FIELD}"), default=0) > last_ms, "its silence")
        return judged(run, missed)
