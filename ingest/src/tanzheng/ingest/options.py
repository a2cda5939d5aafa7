"""Options that several commands of `tanzheng ingest` have."""

from pathlib import Path
from typing import Annotated

import typer

DatabaseUrl = Annotated[
    str, typer.Option(envvar="TANZHENG_DATABASE_URL", help="libpq URL of the database.")
]
BrokerUrl = Annotated[
    str,
    typer.Option(
        "--broker",
        envvar="TANZHENG_BROKER",
        help="mqtt[s]://[USER:PASSWORD@]HOST:PORT; better in the environment than here.",
    ),
]
BrokerCa = Annotated[
    Path | None,
    typer.Option(envvar="TANZHENG_BROKER_CA", help="Authority (PEM) of the broker's certificate."),
]
BrokerCert = Annotated[
    Path | None,
    typer.Option(envvar="TANZHENG_BROKER_CERT", help="Our certificate (PEM): name `platform`."),
]
BrokerKey = Annotated[
    Path | None, typer.Option(envvar="TANZHENG_BROKER_KEY", help="Key (PEM) of our certificate.")
]
GatewaysFile = Annotated[
    Path, typer.Option(help="GATEWAYS.toml: id, plant file, public key of each.")
]
OnlyGateway = Annotated[str | None, typer.Option("--gw", help="Only this gateway · 仅此网关")]
OnlyMonth = Annotated[
    str | None, typer.Option("--month", help="Only readings of YYYY-MM in plant time · 仅此月")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document for machines.")]
Directory = Annotated[Path, typer.Option("--dir", help="Where its files and data stay.")]
