"""Desired state to resources: build, version, difference, status."""
