"""`tanzheng ingest …` as a user calls it: output, exit codes, messages."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, put, write_files
from parts import server_folder
from tanzheng.ingest.broker import takes_login
from tanzheng.ingest.writer import Writer

TANZHENG = str(Path(sys.executable).with_name("tanzheng"))


def tanzheng(*words: str, url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TANZHENG_DATABASE_URL": url, "COLUMNS": "200"}
    return subprocess.run(
        [TANZHENG, "ingest", *words], env=environment, capture_output=True, text=True, check=False
    )


def test_migrate_audit_and_quarantine(database_url: str, tmp_path: Path) -> None:
    url, box = database_url, Box()
    gateways = ("--gateways", str(write_files(tmp_path, box)))
    assert "0001_ledger.sql" in tanzheng("migrate", url=url).stdout
    with closing(Writer(url, enrolled(box))) as writer:
        put(writer, [message(box.next()), message(b"garbage")])

    good = tanzheng("audit", *gateways, url=url)
    assert (good.returncode, good.stderr) == (0, "")
    assert "30 readings" in good.stdout

    with psycopg.connect(url) as connection:
        connection.execute("UPDATE reading SET value = 1 WHERE t = (SELECT min(t) FROM reading)")
    bad = tanzheng("audit", *gateways, url=url)
    assert bad.returncode == 3
    assert "row changed: gateway gw1 epoch 1 seq 1" in bad.stderr
    document = json.loads(tanzheng("audit", *gateways, "--json", url=url).stdout)
    assert document["difference"]["time"] == "2018-07-01T07:00:00.000Z"
    assert document["difference"]["got"] == "1.0 quality 0"

    [entry] = json.loads(tanzheng("quarantine", "list", "--json", url=url).stdout)
    assert (entry["gw"], entry["reason_code"], entry["seen"]) == ("gw1", "encoding_invalid", 1)
    assert "encoding_invalid" in tanzheng("quarantine", "list", url=url).stdout


def test_an_unknown_gateway_is_bad_input(tmp_path: Path) -> None:
    gateways = str(write_files(tmp_path, Box()))
    done = tanzheng("audit", "--gateways", gateways, "--gw", "gw9", url="postgresql://nowhere")
    assert done.returncode == 2
    assert "expected a gateway of (gw1), got 'gw9'" in done.stderr


def test_a_database_that_is_away_is_said() -> None:
    done = tanzheng("migrate", url="postgresql://127.0.0.1:1/none")
    assert done.returncode == 1
    assert "database: " in done.stderr
    assert "Traceback" not in done.stderr


def entry(gw: str, plant: str, key: str) -> str:
    return f'version = 1\n[[gateway]]\nid = "{gw}"\nplant = "{plant}"\npublic_key = "{key}"\n'


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ("", "version = 1"),
        ("version = 1\ngateway = []", "at least one"),
        ('version = 1\n[[gateway]]\nid = "gw1"', "expected ['id', 'plant', 'public_key']"),
        (entry("gw9", "plant.toml", "gw1.pub.pem"), "expected a gateway of (gw1, gw2)"),
        (entry("gw1", "plant.toml", "platform.pem"), "expected a PEM public key"),
        (entry("gw1", "none.toml", "gw1.pub.pem"), "expected a readable file"),
        ("version = 1\nversion = 2\n", "expected TOML"),
    ],
)
def test_a_bad_gateways_file_is_named(tmp_path: Path, flaw: str, said: str) -> None:
    path = write_files(tmp_path, Box())
    path.write_text(flaw)
    done = tanzheng("audit", "--gateways", str(path), url="postgresql://nowhere")
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", " ")


def test_a_server_runs_until_it_is_told() -> None:
    with server_folder() as folder:
        for words in (("database",), ("broker",)):
            command = [TANZHENG, "ingest", *words, "start", "--dir", str(folder / words[0])]
            if words == ("broker",):
                command += ["--gateway", "gw1"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                ready = json.loads(process.stdout.readline())
                if words == ("database",):
                    psycopg.connect(ready["url"]).close()
                    assert "PostgreSQL 18" in ready["version"]
                else:
                    url = urlsplit(ready["gateways"]["gw1"])
                    assert takes_login("127.0.0.1", url.port or 0, "gw1", url.password or "")
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0
