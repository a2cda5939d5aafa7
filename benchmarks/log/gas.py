"""What a batch costs on the chain, beside one storage slot and EAS on the same anvil."""

import bench_gas
from limits import Row


def rows() -> list[Row]:
    """Gas of a batch with everything bound, held to its limit; of the others as ratios."""
    measured = [row for row in bench_gas.run() if row.name == bench_gas.BATCH]
    others = [row for row in measured if row.limit != bench_gas.BATCH_GAS_MAX]
    whole = f"one transaction, however many statements; {bench_gas.CALLS} of them, the median"
    return [
        Row("a batch anchored", measured[0].value, "gas", whole, bench_gas.BATCH_GAS_MAX),
        *(Row("…", row.ratio, "×", f"{row.against}, {row.limit:,.0f} gas") for row in others),
    ]
