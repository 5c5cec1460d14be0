"""Peers: the other replicas of the control plane, and what the mesh answers with them."""
