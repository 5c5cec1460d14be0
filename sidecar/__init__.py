"""The sidecar: lives beside one workload and hosts the Rust core."""
