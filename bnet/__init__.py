"""A Git-native build network."""

__version__ = "0.1.0"
