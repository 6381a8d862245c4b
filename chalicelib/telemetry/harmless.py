"""Measuring and logging must not change what is measured: their failures end here."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def harmless() -> Iterator[None]:
    """Run the block. An exception in it ends the block alone, and is written to standard error.

    It is not logged, since the log may be what failed.
    """
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever a metric or a log line raises
        with suppress(Exception):
            traceback.print_exc(limit=5, file=sys.stderr)
