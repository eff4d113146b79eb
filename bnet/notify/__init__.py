"""Notifications: what is told of a network, to whom and when, as pure rules."""
