"""The dashboard: pages made of facts, and nothing else; see docs/adr/0029-the-dashboard.md."""
