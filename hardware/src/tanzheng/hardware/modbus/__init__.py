"""A Modbus server for simulated devices: codec and register image (pure), faults, server."""
