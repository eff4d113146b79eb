"""The hub as a Git repository."""
