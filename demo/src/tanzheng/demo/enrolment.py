"""Enrolment of the rehearsal's gateway, platform and operator: three keys, three owners.

In a plant each key is made by its owner and only the public half is handed over. Here one process
makes all three, but each part is given just the private key that is its own.
"""

from dataclasses import dataclass
from pathlib import Path

from tanzheng.core.keys import SigningKey
from tanzheng.demo.folder import RunFolder
from tanzheng.ingest import service

BATCH_SLOTS_MAX = 60
BATCH_AGE_S_MAX = 10


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files of one owner."""

    private: Path
    public: Path


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Who signs what: gateway its batches, platform its acks, operator its statements."""

    gateway: KeyPair
    platform: KeyPair
    operator: KeyPair


def enrol(folder: RunFolder, gateway: str) -> Enrolment:
    """Make the keys and the list of gateways that ingest trusts."""
    folder.gateways_file.write_text(
        "version = 1\n\n[[gateway]]\n"
        f'id = "{gateway}"\nplant = "plant/plant.toml"\npublic_key = "keys/gateway.pub.pem"\n'
    )
    return Enrolment(*(_pair(folder.keys, name) for name in ("gateway", "platform", "operator")))


def write_edge_configuration(
    folder: RunFolder, gateway: str, broker_url: str, plant_time: bool
) -> None:
    """The agent's edge.toml. It holds the gateway's broker password: mode 0600."""
    text = f"""version = 1
gateway = "{gateway}"
plant = "../plant/plant.toml"
devices = "../plant/devices.json"
key = "../keys/gateway.pem"
platform_key = "../keys/platform.pub.pem"
spool = "spool"
broker = "{broker_url}"
batch_slots_max = {BATCH_SLOTS_MAX}
batch_age_s_max = {BATCH_AGE_S_MAX}
resend_after_s = 5
"""
    if plant_time:
        text += 'plant_time_socket = "../plant/plant-time.sock"\n'
    service.write_private(folder.edge_file, text)


def _pair(keys: Path, name: str) -> KeyPair:
    key = SigningKey.generate()
    pair = KeyPair(keys / f"{name}.pem", keys / f"{name}.pub.pem")
    service.write_private(pair.private, key.to_pem().decode())
    pair.public.write_bytes(key.public.to_pem())
    return pair
