"""Discovery: sends every sidecar the resources it asked for, and learns what it applies."""
