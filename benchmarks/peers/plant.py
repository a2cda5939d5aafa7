"""The plant of the benchmark, for each contender in the form that it wants: 50 devices with 30
float32 each, 60 registers in one read.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tanzheng.core.fields import FIELDS

DEVICES = 50
VALUES = 30
GATEWAY = "bench-gw"

PROFILE_HEAD = """id: bench_meter
vendor: benchmark
models: [none]
kind: energy meter
protocol: modbus
transport: [tcp]
fc: 3
order: big
trust: ours
source: [{note: "thirty float32 values side by side"}]
points:
"""
PLANT_HEAD = f"""version = 1
enterprise = "BENCH"
name = "benchmark"
name_zh = "基准"
utc_offset = "+08:00"
[[unit]]
id = "U1"
kind = "gas"
rated_capacity_mw = "1"
rated_capacity_source = "none"
[[gateway]]
id = "{GATEWAY}"
interval_s = 1
"""


def fields() -> list[str]:
    """Thirty names of the dictionary; the first carries the count of reads."""
    gauges = [field.name for field in FIELDS.values() if field.kind == "gauge"]
    assert len(gauges) >= VALUES
    return gauges[:VALUES]


def write_ours(folder: Path, ports: Sequence[int], broker_url: str, **settings: object) -> Path:
    """EDGE.toml with its profile and plant file; `settings` are keys of EDGE.toml."""
    names = fields()
    (folder / "profiles").mkdir(parents=True)
    rows = (
        f"- {{id: p{index}, addr: {2 * index}, type: f32, unit: '{FIELDS[name].unit}', "
        f"field: {name}}}\n"
        for index, name in enumerate(names)
    )
    (folder / "profiles/bench_meter.yaml").write_text(PROFILE_HEAD + "".join(rows))
    points = "".join(f'[[device.point]]\nfield = "{name}"\n' for name in names)
    plant, edge = [PLANT_HEAD], []
    for number, port in enumerate(ports):
        plant.append(
            f'[[device]]\nid = "d{number}"\ngateway = "{GATEWAY}"\nunit = "U1"\n'
            f'profile = "bench_meter"\n{points}'
        )
        edge.append(
            f'[[device]]\nid = "d{number}"\nprotocol = "modbus_tcp"\nhost = "127.0.0.1"\n'
            f"port = {port}\nunit_id = 1\n"
        )
    (folder / "plant.toml").write_text("".join(plant))
    keys: dict[str, object] = {
        "version": 1,
        "gateway": GATEWAY,
        "plant": "plant.toml",
        "profiles": "profiles",
        "key": "gateway.pem",
        "platform_key": "platform.pub.pem",
        "spool": "spool",
        "broker": broker_url,
        **settings,
    }
    head = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    path = folder / "edge.toml"
    path.write_text(head + "".join(edge))
    return path


def write_modpoll(folder: Path) -> Path:
    """modpoll's CSV: fifty units behind the one endpoint that a process of it can have."""
    lines = []
    for number in range(DEVICES):
        lines += [
            f"device,d{number},{number + 1},,",
            f"poll,holding_register,0,{2 * VALUES},BE_BE",
        ]
        lines += [f"ref,p{index},{2 * index},float32,r" for index in range(VALUES)]
    path = folder / "modpoll.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_thingsboard(folder: Path, ports: Sequence[int], host: str, port: int, user: str) -> Path:
    """ThingsBoard's gateway in its fastest setting: one wide range of 60 registers a device, no
    rate limit, no delay between packs, in memory."""
    none = "0:0,"
    kinds = (
        "rateLimits", "dpRateLimits", "messagesRateLimits",
        "deviceMessagesRateLimits", "deviceRateLimits", "deviceDpRateLimits",
    )  # fmt: skip
    limits = dict.fromkeys(kinds, none)
    gateway = {
        "thingsboard": {
            "host": host, "port": port, "remoteShell": False, "remoteConfiguration": False,
            "statistics": {"enable": False}, "maxPayloadSizeBytes": 65536,
            "minPackSendDelayMS": 0, "minPackSizeToSend": 500, "qos": 1,
            "checkConnectorsConfigurationInSeconds": 3600,
            "security": {"type": "accessToken", "accessToken": user},
            "reportStrategy": {"type": "ON_RECEIVED"}, **limits,
        },
        "storage": {"type": "memory", "read_records_count": 1000, "max_records_count": 100_000},
        "grpc": {"enabled": False},
        "connectors": [{"name": "modbus", "type": "modbus", "configuration": "modbus.json"}],
    }  # fmt: skip
    slaves = [
        {
            "host": "127.0.0.1", "port": each, "type": "tcp", "method": "socket", "unitId": 1,
            "deviceName": f"d{number}", "deviceType": "default", "timeout": 5,
            "byteOrder": "BIG", "wordOrder": "BIG", "retries": 0, "pollPeriod": 100,
            "attributes": [], "attributeUpdates": [], "rpc": [],
            "timeseries": [{
                "tag": "p${address}", "type": "32float", "address": f"0-{2 * VALUES - 1}",
                "objectsCount": 2, "functionCode": 3, "maxRegistersPerRequest": 2 * VALUES,
            }],
        }
        for number, each in enumerate(ports)
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    silent = {
        "version": 1,
        "root": {"level": "CRITICAL"},
        "loggers": {"pymodbus.logging": {"level": "CRITICAL"}},
    }
    (folder / "logs.json").write_text(json.dumps(silent))
    (folder / "tb_gateway.json").write_text(json.dumps(gateway))
    (folder / "modbus.json").write_text(json.dumps({"master": {"slaves": slaves}}))
    return folder / "tb_gateway.json"
