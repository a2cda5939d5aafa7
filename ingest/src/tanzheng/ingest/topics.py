"""Who may use which MQTT topic: the broker's users and their rights."""

from tanzheng.core.errors import BadInput
from tanzheng.core.ids import identifier
from tanzheng.core.topics import ROOT, ack_topic, batch_topic

ALL_BATCHES = f"{ROOT}/+/batch"
SHARED_BATCHES = f"$share/ingest/{ALL_BATCHES}"
"""Each message to one of the workers (MQTT 5, section 4.8.2)."""
PLATFORM_USER = "platform"


def platform_users(workers: int) -> list[str]:
    """The broker's users of so many ingest workers: `platform`, `platform-2`, …"""
    return [PLATFORM_USER, *(f"{PLATFORM_USER}-{number}" for number in range(2, workers + 1))]


def is_platform(user: str) -> bool:
    """Whether a user is one of the platform's own."""
    name, dash, number = user.partition("-")
    return name == PLATFORM_USER and (not dash or number.isdecimal())


def gateway_identifier(name: object) -> str:
    """`name` as the id of a gateway; `BadInput` also for the platform's own user names."""
    if isinstance(name, str) and is_platform(name):
        raise BadInput(f"gateway: expected any id but the platform's own users, got {name!r}")
    return identifier(name, "gateway")


def may_publish(user: str, topic: str) -> bool:
    """The rule of the broker's access list: a gateway its own batches, the platform all acks."""
    if is_platform(user):
        return topic.startswith(ROOT + "/") and topic.endswith("/ack")
    return topic == batch_topic(user)


def may_read(user: str, topic: str) -> bool:
    """The platform reads batches and acks of all, a gateway its own acks."""
    if is_platform(user):
        return topic.startswith(ROOT + "/")
    return topic == ack_topic(user)


def mosquitto_acl(workers: int) -> str:
    """The same rules as mosquitto reads them."""
    own = "".join(
        f"user {user}\ntopic read {ROOT}/#\ntopic write {ROOT}/+/ack\n"
        for user in platform_users(workers)
    )
    return f"{own}pattern write {ROOT}/%u/batch\npattern read {ROOT}/%u/ack\n"
