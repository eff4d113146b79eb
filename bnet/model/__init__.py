"""Frozen records of what the hub holds: the words of docs/concepts.md as types."""
