"""Who may use which MQTT topic: the broker's users and their rights."""

from tanzheng.core.errors import BadInput
from tanzheng.core.ids import identifier
from tanzheng.core.topics import ROOT, ack_topic, batch_topic

ALL_BATCHES = f"{ROOT}/+/batch"
PLATFORM_USER = "platform"


def gateway_identifier(name: object) -> str:
    """`name` as the id of a gateway; `BadInput` also for the platform's own user name."""
    if name == PLATFORM_USER:
        raise BadInput(f"gateway: expected any id but {PLATFORM_USER!r}, the platform's own user")
    return identifier(name, "gateway")


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
