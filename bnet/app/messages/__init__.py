"""Messages: composed, filed, acknowledged, answered."""
