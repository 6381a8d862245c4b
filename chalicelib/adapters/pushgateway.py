"""Pushing metrics to a Pushgateway, where each job's set replaces the one before."""

from urllib.parse import quote

import urllib3

from chalicelib.shared.errors import Unavailable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Pushgateway:
    """A `Pusher`."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Push to the gateway at `url`."""
        self._url = url.rstrip("/")
        limits = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)
        self._pool = urllib3.PoolManager(timeout=limits, retries=False, maxsize=1)

    def put(self, job: str, text: str) -> None:
        """Replace the metrics of `job`."""
        try:
            response = self._pool.request(
                "PUT",
                f"{self._url}/metrics/job/{quote(job, safe='')}",
                body=text.encode(),
                headers={"Content-Type": CONTENT_TYPE},
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise _unavailable(f"{type(problem).__name__}: {problem}") from problem
        if response.status >= 300:
            raise _unavailable(f"{response.status} {response.data[:300]!r}")


def _unavailable(cause: str) -> Unavailable:
    return Unavailable(
        "The Pushgateway does not accept metrics.",
        code="pushgateway-unavailable",
        cause=cause[:300],
    )
