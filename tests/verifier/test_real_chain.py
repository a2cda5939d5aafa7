"""From an honest month close to a stranger's answer, with a real chain between the two."""

import json
import subprocess
import sys
from pathlib import Path

from evidence import GATEWAY, OPERATOR
from tanzheng.anchor import service
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.service import AnchorFolder
from tanzheng.verifier.observer import read_anchors, run
from verifier.month import PLANT_RAW, answer, chain, package, write_files

MAIN = "from tanzheng.cli.main import main; main()"


def test_sealed_observed_verified(anvil: Anvil, tmp_path: Path) -> None:
    bag, receipt, trust = (tmp_path / name for name in ("bag", "receipt.cbor", "TRUST.json"))
    write_files(package(chain()), bag)
    keys = {
        "plant.toml": PLANT_RAW,
        "gateway.pem": GATEWAY.public.to_pem(),
        "operator.pem": OPERATOR.public.to_pem(),
        "operator.key": OPERATOR.to_pem(),
    }
    for name, data in keys.items():
        (tmp_path / name).write_bytes(data)
    deployed = service.deploy_development_log(anvil.url, tmp_path / "log")
    AnchorFolder(tmp_path / "log").seal(
        bag, tmp_path / "operator.key", receipt, None, lambda _: None
    )
    anchors = read_anchors(
        f"0x{deployed.contract.hex()}",
        deployed.log_id.hex(),
        tmp_path / "plant.toml",
        [tmp_path / "gateway.pem"],
        [tmp_path / "operator.pem"],
    )
    run(anvil.url, anchors, trust, confirmations=0, once=True, say=print)
    anvil.stop()  # nothing is asked of the chain any more
    command = ["verify", str(receipt), "--package", str(bag), "--trust", str(trust), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = answer(done.stdout)
    assert verdicts.pop("consistent") == "not asked"
    assert set(verdicts.values()) == {"ok"}
    assert json.loads(done.stdout)["subject"] == "TEST-1/G1/2018-02/month"
