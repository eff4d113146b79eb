"""The network for programs, over HTTP: an extra (`pip install 'bnet[api]'`); see docs/api.md."""
