"""Faults on real services: what the relay guarantees, checked by independent code."""
