"""`bnet notify` and what stands behind it."""
