"""DL/T 645-2007: what the data identifiers mean, and a meter to read from."""
