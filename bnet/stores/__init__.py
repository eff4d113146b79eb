"""The adapters of the `Store` port: where a team shares what was built."""
