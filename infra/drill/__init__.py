"""Drills: break the local stack on purpose, and check every link from alert to recovery."""
