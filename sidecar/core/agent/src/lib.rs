//! The sidecar's own streams: discovery, telemetry, commands, registration, last good configuration.
