"""The authority of the control plane: its trust roots, its certificates, and who its callers are."""
