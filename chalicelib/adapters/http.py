"""Outgoing HTTP on the standard library, with one deadline for the whole exchange.

A socket's timeout bounds each read, so a server that sends a byte now and then holds its caller
for as long as it likes. Here the exchange runs in a thread of its own, and when time is up the
caller goes on and the connection is closed, which ends the thread.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

from chalicelib.shared.http import HttpError, HttpResponse

CHUNK_BYTES: Final = 65_536
FAILURES: Final = (OSError, http.client.HTTPException, ValueError)


class DeadlineHttpClient:
    """An `HttpClient`. Each request has a connection of its own; threads may share the client."""

    def request(
        self,
        method: str,
        url: str,
        *,
        timeout_seconds: float,
        max_bytes: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Send one request and read the whole answer within `timeout_seconds`."""
        exchange = _Exchange(_address(url), timeout_seconds, max_bytes)
        thread = threading.Thread(
            target=exchange.run, args=(method, body, dict(headers or {})), daemon=True
        )
        thread.start()
        thread.join(timeout_seconds)
        if thread.is_alive():
            exchange.abort()
            raise HttpError(f"no complete answer within {timeout_seconds:g} s")
        return exchange.response()


class _Exchange:
    """One request and its answer, carried out in one thread and awaited in another."""

    def __init__(self, address: SplitResult, timeout_seconds: float, max_bytes: int) -> None:
        self._address = address
        self._max_bytes = max_bytes
        self._deadline = time.monotonic() + timeout_seconds
        self._connection = _connection(address, timeout_seconds)
        self._response: HttpResponse | None = None
        self._problem: Exception | None = None

    def run(self, method: str, body: bytes | None, headers: dict[str, str]) -> None:
        """Carry out the exchange and keep what came of it."""
        try:
            self._response = self._carry_out(method, body, headers)
        except FAILURES as problem:
            self._problem = problem
        finally:
            self._connection.close()

    def response(self) -> HttpResponse:
        """Return the answer. Raises `HttpError` where there is none."""
        if self._response is None:
            problem = self._problem
            raise HttpError(f"{type(problem).__name__}: {problem}") from problem
        return self._response

    def abort(self) -> None:
        """End the exchange from outside: whatever waits on the socket fails at once."""
        open_socket = self._connection.sock
        if open_socket is not None:
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # closed meanwhile

    def _carry_out(self, method: str, body: bytes | None, headers: dict[str, str]) -> HttpResponse:
        path = self._address.path or "/"
        target = f"{path}?{self._address.query}" if self._address.query else path
        self._connection.request(method, target, body=body, headers=headers)
        answer = self._connection.getresponse()
        content = b""
        while chunk := answer.read1(CHUNK_BYTES):
            content += chunk
            if len(content) > self._max_bytes:
                raise ValueError(f"the answer has more than {self._max_bytes} bytes")
            if time.monotonic() > self._deadline:
                raise TimeoutError("the answer took too long")
        if answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        received = {name.lower(): value for name, value in answer.getheaders()}
        return HttpResponse(answer.status, content, received)


def _address(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and bool(address.hostname)
        _ = address.port  # raises ValueError where it is not a number
    except ValueError as problem:
        raise HttpError(f"not an http or https address: {problem}") from None
    if not usable:
        raise HttpError("not an http or https address")
    return address


def _connection(address: SplitResult, timeout_seconds: float) -> http.client.HTTPConnection:
    host = str(address.hostname)
    if address.scheme == "https":
        return http.client.HTTPSConnection(
            host, address.port, timeout=timeout_seconds, context=_tls()
        )
    return http.client.HTTPConnection(host, address.port, timeout=timeout_seconds)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
