"""Which job next, and on whom."""
