"""Named locks: held by a process, and seen from outside."""
