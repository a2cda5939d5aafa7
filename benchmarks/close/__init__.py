"""The month close of a fleet from stored hours: one process, a pool, a Dask local cluster."""
