"""amqtt as the broker of last resort, with the passwords and access rules of mosquitto's files.

    python -m tanzheng.ingest.amqtt_server HOST PORT USERS_FILE

It speaks MQTT 3.1.1 only and keeps nothing for an absent subscriber.
"""

import asyncio
import base64
import hmac
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.broker import Broker  # type: ignore[import-untyped]
from amqtt.contexts import Action  # type: ignore[import-untyped]
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin  # type: ignore[import-untyped]

from tanzheng.ingest.broker import password_hash
from tanzheng.ingest.topics import may_publish, may_read


class PasswordFile(BaseAuthPlugin):  # type: ignore[misc]
    """Logins by mosquitto's password file, read anew at each login."""

    async def authenticate(self, *, session: Any) -> bool:
        """Whether user and password of the session are in the file."""
        stored = read_users(self.config.users).get(session.username or "")
        if stored is None:
            return False
        salt = base64.b64decode(stored.split("$")[3])
        return hmac.compare_digest(stored, password_hash(session.password or "", salt))

    @dataclass
    class Config:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Path of the password file."""

        users: str


class AccessRules(BaseTopicPlugin):  # type: ignore[misc]
    """The rules of `topics`."""

    async def topic_filtering(
        self, *, session: Any = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether the session's user may publish to, subscribe to or receive from `topic`."""
        user = (session and session.username) or ""
        rule = may_publish if action == Action.PUBLISH else may_read
        return bool(topic) and rule(user, str(topic))


def read_users(path: str) -> dict[str, str]:
    """User → password hash."""
    return dict(line.split(":", 1) for line in Path(path).read_text().splitlines())


def configuration(host: str, port: int, users: str) -> dict[str, Any]:
    """amqtt's settings."""
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}},
        "plugins": {
            "tanzheng.ingest.amqtt_server.PasswordFile": {"users": users},
            "tanzheng.ingest.amqtt_server.AccessRules": {},
        },
    }


async def serve(host: str, port: int, users: str) -> None:
    """Run the broker until SIGTERM."""
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    broker = Broker(configuration(host, port, users))
    await broker.start()
    await done.wait()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
