"""The evidence log at the size it is made for: `make bench-log`."""
