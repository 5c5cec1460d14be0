"""The control plane: decides what every sidecar should do."""
