"""The way out to OpenTelemetry collectors."""
