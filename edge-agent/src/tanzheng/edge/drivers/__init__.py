"""Drivers: one folder a protocol, the same things inside."""
