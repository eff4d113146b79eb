"""Adapters to the machine that bnet runs on; each function is given what it needs."""
