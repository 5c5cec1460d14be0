"""One module per policy kind: what it checks and how it merges."""
