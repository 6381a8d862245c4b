"""The business: accounts, contacts and jobs, their rules, and the events that tell of every change."""
