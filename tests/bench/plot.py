"""Figures of the relay bench as a picture: `python -m tests.bench.plot FIGURES.json PICTURE.svg`."""

import json
import sys
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
    most = max(figures[name] for name in LABELS)
    lines = []
    for row, (name, label) in enumerate(LABELS.items()):
        top = 44 + row * (BAR + GAP)
        width = max(1.0, figures[name] / most * (WIDTH - LEFT - 90))
        lines += [
            f'<text x="{LEFT - 10}" y="{top + 18}" text-anchor="end">{label}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" rx="3" fill="{COLOURS[name]}"/>',
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


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(json.loads(Path(sys.argv[1]).read_text())))
