"""What people and tools ask the control plane."""
