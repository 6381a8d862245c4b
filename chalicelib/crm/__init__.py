"""The business: accounts, contacts and jobs, their rules, and an event for every change."""
