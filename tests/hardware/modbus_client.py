"""What a device says, asked by pymodbus: an independent judge of the simulator and its profiles."""

from collections.abc import Iterable

from pymodbus.client import AsyncModbusTcpClient

from tanzheng.hardware.blocks import Memory, ReadBlock, compile_block, plan_blocks
from tanzheng.hardware.profile import PointSpec, Profile

Reading = tuple[float, int] | None


async def read_points(
    profile: Profile, points: Iterable[PointSpec], port: int, unit: int = 1
) -> dict[str, Reading]:
    """Point id → (value, quality), or None where the device has no value."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    await client.connect()
    memory: Memory = {}
    got: dict[str, Reading] = {}
    for block in plan_blocks(profile, points):
        got |= decoded(block, await ask(client, block, unit), memory)
    client.close()
    return got


async def ask(client: AsyncModbusTcpClient, block: ReadBlock, unit: int) -> bytes:
    """The value bytes of the reply to `block`'s request."""
    read = {
        1: client.read_coils,
        2: client.read_discrete_inputs,
        3: client.read_holding_registers,
        4: client.read_input_registers,
    }[block.fc]
    reply = await read(block.addr, count=block.count, device_id=unit)
    assert not reply.isError(), (block, reply)
    if block.fc > 2:
        return b"".join(word.to_bytes(2, "big") for word in reply.registers)
    bits = sum(bit << place for place, bit in enumerate(reply.bits[: block.count]))
    return bits.to_bytes((block.count + 7) // 8, "little")


def decoded(block: ReadBlock, data: bytes, memory: Memory | None = None) -> dict[str, Reading]:
    """Point id → reading, from a reply's value bytes."""
    found = compile_block(block, memory=memory).decode(data)
    got: dict[str, Reading] = {point.id: None for point in block.points}
    kept = range(len(block.points)) if found.kept is None else found.kept
    for index, value, quality in zip(kept, found.values, found.quality, strict=True):
        got[block.points[index].id] = value, quality
    missing = {block.points[index].id for index in found.missing}
    assert missing == {name for name, reading in got.items() if reading is None}
    return got
