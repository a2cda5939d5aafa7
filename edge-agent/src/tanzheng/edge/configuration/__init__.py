"""EDGE.toml and the files it names, checked with their lines. Not in the lean process."""
