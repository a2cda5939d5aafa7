"""Acquisition agent: drivers, scheduler, durable spool, signer, uplink."""
