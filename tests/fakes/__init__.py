"""One fake a file, for one port each. They pass the same contract suites as the real adapters."""
