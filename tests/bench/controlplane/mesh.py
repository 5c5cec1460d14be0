"""A real control plane with the bench's world in a real etcd, and what changes there."""
