"""Draws the figures of the relay bench: `python -m tests.bench.plot FIGURES.json PICTURE.svg`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH = 760
LEFT = 250
BAR = 26
GAP = 12
COLOURS = {
    "original": "#b0b7c3",
    "naive": "#8a94a6",
    "ours": "#2f6fed",
    "ceiling": "#dfe3ea",
}
LABELS = {
    "original": "(a) one send, one commit an event",
    "naive": "(b) batches, SKIP LOCKED, a flag",
    "ours": "(c) this relay",
    "ceiling": "(d) kafka-python alone",
}


def draw(figures: dict[str, Any]) -> str:
    """Return an SVG with one bar for each way of draining."""
    largest = max(figures[name] for name in LABELS)
    lines = []
    for row, (name, label) in enumerate(LABELS.items()):
        top = 44 + row * (BAR + GAP)
        width = max(1.0, figures[name] / largest * (WIDTH - LEFT - 90))
        lines += [
            f'<text x="{LEFT - 10}" y="{top + 18}" text-anchor="end">{label}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" rx="3"'
            f' fill="{COLOURS[name]}"/>',
            f'<text x="{LEFT + width + 8:.1f}" y="{top + 18}">{figures[name]:,.0f}</text>',
        ]
    height = 44 + len(LABELS) * (BAR + GAP) + 8
    title = '<text x="16" y="26" font-weight="600">Events a second, draining a backlog</text>'
    body = "\n".join([title, *lines])
    style = "font-family:system-ui,sans-serif;font-size:14px;fill:#1c2430;background:#fff"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{style}">'
    )
    return f'{head}\n<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figures of one file into another; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plot", description=__doc__)
    parser.add_argument("figures", type=Path, help="what `tests.bench.relay --json` wrote")
    parser.add_argument("picture", type=Path, help="the SVG file to write")
    arguments = parser.parse_args(argv)
    arguments.picture.write_text(draw(json.loads(arguments.figures.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
