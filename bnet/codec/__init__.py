"""Documents of the hub as bytes, and their names as paths; docs/format.md is the specification."""
