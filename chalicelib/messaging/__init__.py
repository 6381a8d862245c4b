"""Getting events out: at least once, in order within a stream, none lost."""
