"""The page behind the link in an alert message. It asks for confirmation, then confirms."""

import hashlib
import html
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from chalicelib.entrypoints.answer import Answer

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430;
  max-width: 34rem; margin: 3rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td { padding: .2rem 1rem .2rem 0; overflow-wrap: anywhere }
button { font: inherit; padding: .5rem 1.2rem;
  border: 0; border-radius: 6px; background: #2f6fed; color: #fff }
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><h1>{title}</h1>
<table>{rows}</table>
{content}
</body></html>
"""
FORM = """<p>Notifications about this alert will stop for {duration}.
Nothing changes until you confirm.</p>
<form method="post" action="{action}"><button type="submit">Acknowledge</button></form>"""
DONE = "<p>Notifications about this alert have stopped for {duration}.</p>"


def confirmation_page(labels: Mapping[str, str], duration: str, action: str) -> Answer:
    """Return the page that asks whether to acknowledge; its form posts to `action`."""
    content = FORM.format(duration=html.escape(duration), action=html.escape(action))
    return _page("Acknowledge this alert?", labels, content, _origin(action))


def acknowledged_page(labels: Mapping[str, str], duration: str) -> Answer:
    """Return the page that says that the alert is acknowledged."""
    return _page("Alert acknowledged", labels, DONE.format(duration=html.escape(duration)))


def _origin(url: str) -> str:
    """Return the origin of `url`; empty where it is a relative reference."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _page(title: str, labels: Mapping[str, str], content: str, form_origin: str = "") -> Answer:
    """Return a page whose forms may go to itself and to `form_origin`."""
    rows = "".join(
        f"<tr><td><b>{html.escape(name)}</b></td><td>{html.escape(value)}</td></tr>"
        for name, value in labels.items()
    )
    style = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{style}'",
            f"form-action 'self' {form_origin}".rstrip(),
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )
    return Answer(
        body=PAGE.format(title=title, style=STYLE, rows=rows, content=content).encode(),
        headers={"Content-Security-Policy": policy},
        content_type="text/html; charset=utf-8",
    )
