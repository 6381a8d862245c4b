"""PostgreSQL: rows, events and leases, over pg8000 in as few round trips as the protocol allows."""
