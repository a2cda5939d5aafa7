"""Tables from files: Parquet, CSV, JSON (rows), by the ending of the name."""

from pathlib import Path

import polars as pl

from tanzheng.core.errors import BadInput

ENDINGS = (".parquet", ".csv", ".json")


def read_table(path: Path) -> pl.DataFrame:
    """The table in `path`; `BadInput` says what is wrong with the file."""
    if path.suffix not in ENDINGS:
        raise BadInput(f"{path}: expected a file that ends in {', '.join(ENDINGS)}")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        if path.suffix == ".csv":
            return pl.read_csv(path, infer_schema_length=None)
        return pl.read_json(path, infer_schema_length=None)
    except OSError as error:
        raise BadInput(f"{path}: expected a table, got {error.strerror or error}") from None
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path}: expected a table, got {str(error).splitlines()[0]}") from None
