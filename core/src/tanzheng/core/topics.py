"""MQTT topics between gateways and platform.

tanzheng/v1/<gateway>/batch   gateway → platform   zstd of a signed batch (COSE_Sign1)
tanzheng/v1/<gateway>/ack     platform → gateway   signed ack, retained
"""

ROOT = "tanzheng/v1"


def batch_topic(gateway: str) -> str:
    """Where `gateway` publishes."""
    return f"{ROOT}/{gateway}/batch"


def ack_topic(gateway: str) -> str:
    """Where the platform answers `gateway`."""
    return f"{ROOT}/{gateway}/ack"


def gateway_of(topic: str) -> str | None:
    """The gateway whose batch topic this is, else None."""
    parts = topic.split("/")
    if len(parts) == 4 and parts[:2] == ROOT.split("/") and parts[3] == "batch":
        return parts[2]
    return None
