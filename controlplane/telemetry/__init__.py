"""Telemetry: adds up what sidecars report, for people, dashboards and the sidecars themselves."""
