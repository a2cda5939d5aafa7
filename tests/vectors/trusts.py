"""The cases of the trust file: laid out freely, but closed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from vectors import cases_keys, world
from vectors.case import Case, given
from vectors.cases import canonical


def trusts() -> Iterator[Case]:
    yield from _closed()
    yield from cases_keys.trusts()


def _closed() -> Iterator[Case]:
    good = given(world.small())
    told = json.loads(good.trust)
    text = good.trust.decode()

    def edited(name: str, **changes: Any) -> Case:
        data = json.dumps({**told, **changes}).encode()
        return Case(name, replace(good, trust=data))

    key, block = told["operator_keys"][0], told["blocks"][0]
    yield edited("spaces and order are free")
    yield Case("without any space", replace(good, trust=canonical(told)))
    yield edited("unknown key", note=1)
    yield edited("another version", version=2)
    yield edited("version 1.0", version=1.0)
    yield edited("chain id 0", chain_id=0)
    yield edited("contract without 0x", contract=told["contract"][2:])
    yield edited("upper-case hexadecimal", log_id=told["log_id"].upper())
    yield edited("key id of another key", operator_keys=[{**key, "kid": "00" * 16}])
    yield edited("operator key twice", operator_keys=[key, key])
    yield edited("block number twice", blocks=[block, block])
    yield edited("negative time", blocks=[{**block, "time": -1}])
    yield edited("threshold of none", witnesses={"threshold": 0, "keys": []})
    yield edited("threshold above the keys", witnesses={"threshold": 1, "keys": []})
    own = {"name": "w1", "public_key": key["public_key"]}
    yield edited("operator as its own witness", witnesses={"threshold": 1, "keys": [own]})
    yield Case("key twice", replace(good, trust=text.replace("{", '{"version": 1,', 1).encode()))
    yield Case("trailing comma", replace(good, trust=text.replace("]", ",]", 1).encode()))
    yield Case("not UTF-8", replace(good, trust=b"\xff" + good.trust))
    yield Case("byte order mark", replace(good, trust=b"\xef\xbb\xbf" + good.trust))
    yield Case(
        "number with an exponent", replace(good, trust=text.replace("31337", "31337e0").encode())
    )
    yield Case("empty", replace(good, trust=b""))
