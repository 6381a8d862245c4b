"""`python -m infra.local`: the local stack from the command line, and behind `make`."""

import sys

from infra.local.starts import Interrupted, interruptible


def main() -> int:
    """Run one command; return its exit code, or 128 and the number of the signal that ended it."""
    try:
        with interruptible():
            from infra.local import commands  # an interruption while it is imported is quiet too

            return commands.main()
    except Interrupted as interruption:
        print(f"\n✗ interrupted by {interruption}", file=sys.stderr)
        return interruption.code


if __name__ == "__main__":
    sys.exit(main())
