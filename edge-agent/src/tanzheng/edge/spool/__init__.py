"""The durable spool: what was read stays here until the platform has signed for it."""
