"""Drawings of a graph of packages: as text, as data, for Graphviz, as a picture."""
