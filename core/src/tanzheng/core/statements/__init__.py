"""Statements of every kind: one envelope, one small module a kind, one list of them (`kinds`)."""
