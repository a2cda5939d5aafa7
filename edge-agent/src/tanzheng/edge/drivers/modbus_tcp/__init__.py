"""Modbus TCP: codec (pure), driver (asyncio), README, sample configuration."""
