"""Where the checkout is."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The folder of app.py."""

CACHE: Final = ROOT / ".local" / "cache"
"""What was downloaded or compiled and can be made again; shared by all local stacks."""
