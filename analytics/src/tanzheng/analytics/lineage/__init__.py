"""Lineage: one graph from a reported figure down to readings, batches, devices and documents."""
