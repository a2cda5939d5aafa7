"""Ingest end to end and reading back, on TimescaleDB behind a broker: `make bench-ingest`."""
