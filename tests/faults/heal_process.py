"""Handles the delivery on standard input: `python -m tests.faults.heal_process`."""

import sys

from chalicelib.autoheal.heal import Healer
from chalicelib.bootstrap import container


def main() -> int:
    """Handle the delivery on standard input."""
    received = Healer(container().autoheal.dependencies).receive(
        sys.stdin.buffer.read(), seconds=28
    )
    print(received.complete, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
