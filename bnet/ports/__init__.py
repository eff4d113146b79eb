"""What the use cases need of the world; adapters satisfy these, fakes pass the same contract suites."""
