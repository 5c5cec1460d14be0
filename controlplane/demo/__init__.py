"""The demo: four services with a sidecar each, load, and a story that checks itself."""
