"""mosquitto's configuration, for the embedded broker and for production: text from settings.

In production each client shows a certificate: its common name is the user, the user decides the
topics (`topics.mosquitto_acl`) and is the client id, too. So a site can neither read nor write
another's topics, nor throw it out by connecting under its client id.
"""

from dataclasses import dataclass
from pathlib import Path

from tanzheng.ingest.service import write_private
from tanzheng.ingest.topics import mosquitto_acl

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
# mosquitto's default of 1,000 queued messages drops silently when ingest is away for long. What
# does not fit here comes again from the gateways' spools.
QUEUED_MESSAGES_MAX = 100_000
QUEUED_BYTES_MAX = 256 * 1024 * 1024
INFLIGHT_MESSAGES_MAX = 100
CONFIG_NAME, ACL_NAME, USERS_NAME = "mosquitto.conf", "acl", "users"

GENERAL = """\
per_listener_settings true
persistence true
persistence_location {folder}/
autosave_interval 30
max_packet_size {message_bytes_max}
max_inflight_messages {inflight_messages_max}
max_queued_messages {queued_messages_max}
max_queued_bytes {queued_bytes_max}
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_timestamp_format %Y-%m-%dT%H:%M:%S

listener {port} {host}
allow_anonymous false
acl_file {folder}/{acl}
"""
PASSWORDS = """\
password_file {folder}/{users}
"""
CERTIFICATES = """\
tls_version tlsv1.2
cafile {tls.ca}
certfile {tls.certificate}
keyfile {tls.key}
require_certificate true
use_identity_as_username true
use_username_as_clientid true
"""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM): the authority that signs clients, the broker's certificate and its key."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the broker listens. `tls` None: passwords instead of certificates, plain TCP."""

    host: str
    port: int
    tls: Tls | None = None


def mosquitto_config(folder: Path, listener: Listener) -> str:
    """The text of mosquitto.conf for a broker whose files lie in `folder` (absolute)."""
    text = GENERAL.format(
        folder=folder,
        host=listener.host,
        port=listener.port,
        acl=ACL_NAME,
        message_bytes_max=MESSAGE_BYTES_MAX,
        inflight_messages_max=INFLIGHT_MESSAGES_MAX,
        queued_messages_max=QUEUED_MESSAGES_MAX,
        queued_bytes_max=QUEUED_BYTES_MAX,
    )
    if listener.tls is None:
        return text + PASSWORDS.format(folder=folder, users=USERS_NAME)
    return text + CERTIFICATES.format(tls=listener.tls)


def write_config(folder: Path, listener: Listener, workers: int = 1) -> Path:
    """Write configuration and access list for so many ingest workers into `folder`; the path of
    the configuration."""
    write_private(folder / ACL_NAME, mosquitto_acl(workers))
    write_private(folder / CONFIG_NAME, mosquitto_config(folder, listener))
    return folder / CONFIG_NAME
