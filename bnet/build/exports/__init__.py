"""A build as other programs want it: test reports, metrics, and a trace; each a pure function of the report."""
