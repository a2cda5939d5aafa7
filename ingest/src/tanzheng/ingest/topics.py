"""MQTT topics between gateways and platform, and who may use them.

tanzheng/v1/<gateway>/batch   gateway → platform   zstd of a signed batch (COSE_Sign1)
tanzheng/v1/<gateway>/ack     platform → gateway   signed ack, retained
"""

from tanzheng.core.errors import BadInput
from tanzheng.core.ids import identifier

ROOT = "tanzheng/v1"
ALL_BATCHES = f"{ROOT}/+/batch"
PLATFORM_USER = "platform"


def gateway_identifier(name: object) -> str:
    """`name` as the id of a gateway; `BadInput` also for the platform's own user name."""
    if name == PLATFORM_USER:
        raise BadInput(f"gateway: expected any id but {PLATFORM_USER!r}, the platform's own user")
    return identifier(name, "gateway")


def ack_topic(gateway: str) -> str:
    """Where the platform answers `gateway`."""
    return f"{ROOT}/{gateway}/ack"


def batch_topic(gateway: str) -> str:
    """Where `gateway` publishes."""
    return f"{ROOT}/{gateway}/batch"


def gateway_of(topic: str) -> str | None:
    """The gateway whose batch topic this is, else None."""
    parts = topic.split("/")
    if len(parts) == 4 and parts[:2] == ROOT.split("/") and parts[3] == "batch":
        return parts[2]
    return None


def may_publish(user: str, topic: str) -> bool:
    """The rule of the broker's access list: a gateway its own batches, the platform all acks."""
    if user == PLATFORM_USER:
        return topic.startswith(ROOT + "/") and topic.endswith("/ack")
    return topic == batch_topic(user)


def may_read(user: str, topic: str) -> bool:
    """The platform reads batches and acks of all, a gateway its own acks."""
    if user == PLATFORM_USER:
        return topic.startswith(ROOT + "/")
    return topic == ack_topic(user)


# The same rules as mosquitto writes them.
MOSQUITTO_ACL = f"""\
user {PLATFORM_USER}
topic read {ROOT}/#
topic write {ROOT}/+/ack
pattern write {ROOT}/%u/batch
pattern read {ROOT}/%u/ack
"""
