"""Verdicts on a network, from facts that somebody else has gathered."""
