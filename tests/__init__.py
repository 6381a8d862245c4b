"""The tests: unit, contract, integration, end to end, faults, architecture, benches."""
