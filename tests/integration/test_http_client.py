"""The one client for outgoing HTTP, against real sockets: its time and its memory are bounded."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from chalicelib.adapters.http import DeadlineHttpClient
from chalicelib.shared.http import HttpError, HttpResponse
from infra.local.ports import free_port

TIMEOUT = 0.5
GRACE = 1.5
"""How much later than its timeout a call may end on a busy machine."""


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection after another with `answer`, until the end of the block."""
    server = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    answer(connection)
                except OSError:
                    continue  # the client gave up, which is what most tests are about

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        stopped.set()
        server.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
        server.close()
        thread.join(5)


def ask(url: str, *, max_bytes: int = 1_000) -> HttpResponse:
    client = DeadlineHttpClient()
    return client.request("GET", url, timeout_seconds=TIMEOUT, max_bytes=max_bytes)


def drip(connection: socket.socket, text: bytes, start: bytes = b"") -> None:
    connection.sendall(start)
    for byte in text:
        connection.sendall(bytes([byte]))
        time.sleep(TIMEOUT / 3)


def test_an_answer_is_read_whole_with_its_headers() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\nX-One: a\r\nContent-Length: 2\r\n\r\n{}")

    with serving(answer) as url:
        response = ask(url)
    assert (response.status, response.body, response.headers["x-one"]) == (201, b"{}", "a")


HEAD = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "the status line": lambda connection: drip(connection, HEAD * 3),
    "a header": lambda connection: drip(connection, b"a" * 60, HEAD + b"X-Slow: "),
    "the body": lambda connection: drip(
        connection, b"a" * 60, HEAD + b"Content-Length: 60\r\n\r\n"
    ),
    "chunks": lambda connection: drip(
        connection, b"1\r\na\r\n" * 12, HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "nothing at all": lambda _: time.sleep(TIMEOUT * 4),
}


@pytest.mark.parametrize("part", SLOW)
def test_a_server_that_drips_is_given_up_at_the_deadline(part: str) -> None:
    with serving(SLOW[part]) as url:
        started = time.monotonic()
        with pytest.raises(HttpError):
            ask(url)
        assert time.monotonic() - started < TIMEOUT + GRACE


def test_the_thread_of_a_call_that_was_given_up_ends() -> None:
    before = threading.active_count()
    with serving(SLOW["a header"]) as url, pytest.raises(HttpError):
        ask(url)
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.mark.parametrize("stated", [b"Content-Length: 2000\r\n", b""], ids=["stated", "unstated"])
def test_an_answer_over_the_limit_is_refused(stated: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + stated + b"\r\n" + b"x" * 2_000)

    with serving(answer) as url:
        with pytest.raises(HttpError, match="more than 1000 bytes"):
            ask(url)
        assert len(ask(url, max_bytes=2_000).body) == 2_000


@pytest.mark.parametrize(
    "broken", [b"", b"nonsense\r\n\r\n", HEAD + b"Content-Length: 9\r\n\r\n{}"]
)
def test_a_broken_answer_is_an_error(broken: bytes) -> None:
    with serving(lambda connection: connection.sendall(broken)) as url, pytest.raises(HttpError):
        ask(url)


def test_a_redirect_is_not_followed() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")

    with serving(answer) as url:
        assert ask(url).status == 302


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://host/", "http://", "http://host:port/", "host:80"]
)
def test_only_http_addresses_are_called(url: str) -> None:
    with pytest.raises(HttpError, match="not an http or https address"):
        ask(url)


def test_a_port_where_nothing_listens_is_an_error_without_the_address() -> None:
    port = free_port()
    with pytest.raises(HttpError, match="ConnectionRefusedError") as refused:
        ask(f"http://127.0.0.1:{port}/token=s3cr3t")
    assert "s3cr3t" not in str(refused.value)
