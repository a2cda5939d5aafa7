"""Statements, transparency log, checkpoints, chain client, receipts."""
