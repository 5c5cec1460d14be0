"""Puts a sidecar beside the containers of a pod: what to change, and the webhook that changes it."""
