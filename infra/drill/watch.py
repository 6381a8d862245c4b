"""Adds every change of Prometheus' alerts to the timeline while a drill runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from infra.drill.site import Site
from infra.drill.timeline import Sort, Timeline

EVERY_SECONDS = 0.5


@contextmanager
def watching(site: Site, timeline: Timeline) -> Iterator[None]:
    """Until the end of the block, record each alert that is pending, fires, or is over."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(site, timeline, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def _watch(site: Site, timeline: Timeline, stop: threading.Event) -> None:
    states: dict[str, str] = {}
    while not stop.wait(EVERY_SECONDS):
        try:
            now = {_name(alert["labels"]): str(alert["state"]) for alert in site.alerts()}
        except requests.RequestException:
            continue  # the acts report that Prometheus cannot be reached
        for name, state in now.items():
            if states.get(name) != state:
                timeline.add(
                    Sort.ALERT, f"{name} {'is pending' if state == 'pending' else 'FIRES'}"
                )
        for name, state in states.items():
            if name not in now and state == "firing":
                timeline.add(Sort.ALERT, f"{name} is over")
        states = now


def _name(labels: dict[str, str]) -> str:
    about = labels.get("slo") or labels.get("env") or labels.get("service", "")
    return f"{labels['alertname']} ({about})" if about else labels["alertname"]
