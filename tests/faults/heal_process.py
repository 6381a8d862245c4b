"""A process that handles one delivery, to be killed at its worst moment: `python -m tests.faults.heal_process`."""

import sys

from chalicelib import bootstrap_healing
from chalicelib.autoheal.heal import Healer


def main() -> int:
    """Handle the delivery on standard input."""
    received = Healer(bootstrap_healing.healing()).receive(sys.stdin.buffer.read(), seconds=28)
    print(received.complete, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
