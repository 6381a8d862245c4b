"""Where the checkout is, and what all its local stacks share."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".local" / "cache"
"""Downloaded programs, kept for every stack of this checkout."""
