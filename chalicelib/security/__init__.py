"""Identity, secrets, signatures, cursors and rate limits."""
