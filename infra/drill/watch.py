"""Watching Prometheus' alerts while a drill goes on: every change is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from infra.drill.site import Site
from infra.drill.timeline import Sort, Timeline

EVERY_SECONDS = 0.5


@contextmanager
def watching(site: Site, timeline: Timeline) -> Iterator[None]:
    """Tell the timeline of each alert that begins to wait, fires, or is over, until the end of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(site, timeline, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def _watch(site: Site, timeline: Timeline, stop: threading.Event) -> None:
    known: dict[str, str] = {}
    while not stop.wait(EVERY_SECONDS):
        try:
            found = {_name(one["labels"]): str(one["state"]) for one in site.alerts()}
        except requests.RequestException:
            continue  # whoever needs Prometheus will say that it is away
        for name, state in found.items():
            if known.get(name) != state:
                timeline.add(
                    Sort.ALERT, f"{name} {'is pending' if state == 'pending' else 'FIRES'}"
                )
        for name, state in known.items():
            if name not in found and state == "firing":
                timeline.add(Sort.ALERT, f"{name} is over")
        known = found


def _name(labels: dict[str, str]) -> str:
    about = labels.get("slo") or labels.get("env") or labels.get("service", "")
    return f"{labels['alertname']} ({about})" if about else labels["alertname"]
