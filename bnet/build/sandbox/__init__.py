"""Builds that see only what they declared, and whose every reach beyond that is named."""
