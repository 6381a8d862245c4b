"""Tests of what the documents say: their commands and their links."""
