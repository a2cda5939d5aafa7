"""Durable files and locks for every service that keeps some: one contract, tested once."""
