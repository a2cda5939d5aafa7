"""Verification and exactly-once writing of signed batches to TimescaleDB."""
