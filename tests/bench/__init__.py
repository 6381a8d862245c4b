"""Benches: how fast, against what, and how to repeat it. Ratios from one run; machines are noisy."""
