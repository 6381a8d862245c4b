"""Where the checkout is."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The folder of app.py."""

CACHE: Final = ROOT / ".local" / "cache"
"""What was downloaded or compiled and can be made again; shared by all local stacks."""

HOME: Final = Path(os.environ.get("AETHERLINK_HOME") or ROOT / ".local")
"""Where the local stack keeps its state, unless a command names another folder."""
