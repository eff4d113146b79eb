"""The use cases: what bnet does, in terms of the ports."""
