"""A hub and who belongs to it: found, joined, left, taken over, taken to another format."""
