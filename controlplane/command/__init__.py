"""Commands: how the control plane asks sidecars, over streams that they opened."""
