"""A Modbus TCP server for simulated devices: codec (pure), register image (pure), server."""
