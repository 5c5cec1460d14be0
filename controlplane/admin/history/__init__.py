"""The history of policies, for people and tools."""
