"""The frozen vocabulary of the control plane: values, schema, documents, resources, snapshots."""
