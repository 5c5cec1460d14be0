"""The cluster: policies and services are read from its API, and what became of them is written there."""
