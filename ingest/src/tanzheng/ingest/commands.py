"""`tanzheng ingest …`: the commands of the platform's entrance."""

import json
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any

import typer

from tanzheng.ingest.archive_commands import archive
from tanzheng.ingest.audit_log_commands import app as audit_log_app
from tanzheng.ingest.correction_commands import app as correction_app
from tanzheng.ingest.enrol_commands import app as enrol_app
from tanzheng.ingest.operations import audit, maintain, rebuild, recover, status
from tanzheng.ingest.options import (
    BrokerCa,
    BrokerCert,
    BrokerKey,
    BrokerUrl,
    DatabaseUrl,
    Directory,
    GatewaysFile,
    Json,
)
from tanzheng.ingest.plant_commands import app as plant_app
from tanzheng.ingest.viewer_commands import app as viewer_app

app = typer.Typer(
    help="Check signed batches and write them exactly once · 接收入库", no_args_is_help=True
)
database_app = typer.Typer(help="A PostgreSQL of our own · 内置数据库", no_args_is_help=True)
broker_app = typer.Typer(help="An MQTT broker of our own · 内置消息代理", no_args_is_help=True)
quarantine_app = typer.Typer(help="What was refused, and why · 隔离区", no_args_is_help=True)
app.add_typer(database_app, name="database")
app.add_typer(broker_app, name="broker")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(enrol_app, name="enrol")
app.add_typer(plant_app, name="plant")
app.add_typer(correction_app, name="correction")
app.add_typer(audit_log_app, name="audit-log")
app.add_typer(viewer_app, name="viewer")
app.command()(status)
app.command()(audit)
app.command()(rebuild)
app.command()(maintain)
app.command()(archive)
app.command()(recover)


@app.command()
def run(
    database_url: DatabaseUrl,
    broker: BrokerUrl,
    gateways: GatewaysFile,
    key: Annotated[Path, typer.Option(help="The platform's private key (PEM): signs the acks.")],
    worker: Annotated[
        int | None,
        typer.Option(min=1, help="Number of this worker where several share the batches (MQTT 5)."),
    ] = None,
    connections: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="To the database, each for its share of the gateways · 数据库连接数"
        ),
    ] = 2,
    broker_ca: BrokerCa = None,
    broker_cert: BrokerCert = None,
    broker_key: BrokerKey = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of /metrics (Prometheus) and /health · 监控地址"),
    ] = None,
) -> None:
    """Take batches from the broker until SIGTERM · 接收、验签、入库、应答."""
    from tanzheng.core.keys import SigningKey
    from tanzheng.ingest.consumer import BrokerAddress, Consumer
    from tanzheng.ingest.enrolment import read_file, read_gateways
    from tanzheng.ingest.maintenance import Maintenance

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    enrolled = read_gateways(gateways)
    signer = SigningKey.from_pem(read_file(key), str(key))
    address = BrokerAddress.parse(broker, broker_ca, broker_cert, broker_key)
    consumer = Consumer(address, database_url, enrolled, signer, worker, connections)
    _on_stop(consumer.stop)
    with ExitStack() as beside:
        beside.enter_context(closing(Maintenance(database_url)))
        if metrics is not None:
            from tanzheng.ingest.metrics import MetricsServer

            server = MetricsServer(metrics, consumer.meter, database_url)
            beside.enter_context(closing(server))
        consumer.run()


@app.command()
def migrate(database_url: DatabaseUrl) -> None:
    """Bring the database to this version's schema · 升级数据库结构."""
    from tanzheng.ingest.migrate import migrate as apply
    from tanzheng.ingest.migrate import named_errors

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    with named_errors():
        applied = apply(database_url)
    typer.echo(f"applied: {', '.join(applied)}" if applied else "nothing to do · 已是最新")


@database_app.command("start")
def database_start(directory: Directory) -> None:
    """Run the embedded server until SIGTERM; prints {"url", "version"} when it is ready."""
    from tanzheng.ingest.embedded import EmbeddedPostgres

    with EmbeddedPostgres(directory) as server:
        _serve({"url": server.url(), "version": server.version}, server.wait)


@broker_app.command("start")
def broker_start(
    directory: Directory,
    port: Annotated[int | None, typer.Option(help="Default: a free port.")] = None,
    gateway: Annotated[
        list[str] | None, typer.Option(help="A gateway that may log in; repeat for more.")
    ] = None,
) -> None:
    """Run the broker until SIGTERM; prints {"platform", "gateways", "kind"} when it is ready."""
    from tanzheng.ingest.broker import Broker

    with Broker(directory, port) as server:
        ready = {
            "platform": server.platform_url,
            "gateways": {gw: server.gateway_url(gw) for gw in gateway or []},
            "kind": server.kind,
        }
        _serve(ready, server.wait)


@broker_app.command("config")
def broker_config(
    directory: Directory,
    tls: Annotated[
        tuple[Path, Path, Path],
        typer.Option(
            metavar="CA CERT KEY",
            help="PEM files: the authority of all clients, the broker's certificate, its key.",
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8883,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Ingest workers, each a user of its own.")
    ] = 1,
) -> None:
    """Write mosquitto.conf and its access list for production · 生成生产环境配置."""
    from tanzheng.ingest.broker_config import Listener, Tls, write_config
    from tanzheng.ingest.enrolment import read_file

    for path in tls:
        read_file(path)  # named here rather than in the broker's log
    directory.mkdir(parents=True, exist_ok=True)
    files = Tls(*(path.resolve() for path in tls))
    written = write_config(directory.resolve(), Listener(host, port, files), workers)
    typer.echo(f"mosquitto -c {written}")


@quarantine_app.command("list")
def quarantine_list(
    database_url: DatabaseUrl,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what was accepted later.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="The latest N entries.")] = 50,
    as_json: Json = False,
) -> None:
    """What is in quarantine, the latest first · 隔离区清单."""
    from tanzheng.ingest.migrate import named_errors
    from tanzheng.ingest.quarantine import latest

    with named_errors():
        entries = latest(database_url, limit, open_only=not everything)
    if as_json:
        typer.echo(json.dumps(entries))
        return
    from rich.console import Console
    from rich.table import Table

    columns = ("received_at", "gw", "reason_code", "seen", "bytes", "detail")
    table = Table(*columns, title="Quarantine · 隔离区")
    for entry in entries:
        table.add_row(*(str(entry[name]) for name in columns))
    Console().print(table)


def _on_stop(stop: Callable[[], object]) -> None:
    """Call `stop` on SIGTERM and on Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


def _serve(ready: dict[str, Any], wait: Callable[[], int]) -> None:
    """Print the JSON line, then wait: for a signal (exit 0), or for the server to fail."""

    def end() -> None:
        raise SystemExit(0)

    _on_stop(end)
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    from tanzheng.ingest.service import ServiceFailed

    raise ServiceFailed(f"the server ended by itself, exit code {wait()}")
