"""Who calls, and what proves it: identity, secrets, signatures, cursors, rate limits."""
