"""Drill the local stack: `python -m infra.drill`, or `make drill`."""

import sys

from infra.local.starts import Interrupted, interruptible


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code, or 128 and the number of the signal that ended it."""
    try:
        with interruptible():
            from infra.drill import command  # an interruption while it is imported is quiet too

            return command.main(arguments)
    except Interrupted as interruption:
        print(f"\n✗ interrupted by {interruption}; everything is as it was", file=sys.stderr)
        return interruption.code


if __name__ == "__main__":
    sys.exit(main())
