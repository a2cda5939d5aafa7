"""Modbus TCP, RTU, RTU over TCP: codec (pure), driver (asyncio), README, sample configuration."""
