"""Forges: what they are told of commits."""
