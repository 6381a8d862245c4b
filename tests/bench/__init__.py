"""Benches: how fast the product is, and compared with what.

Compare figures of one run only: machines are noisy.
"""
