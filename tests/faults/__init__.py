"""Faults on real parts: what the relay promises, checked by somebody who does not trust it."""
