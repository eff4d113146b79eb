"""The doctor: what it looks at, what it finds, and what it mends."""
