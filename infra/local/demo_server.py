"""The program of a demo service: `python -m infra.local.demo_server HOME NAME PORT`."""

import http.server
import json
import sys
import time


class _Handler(http.server.BaseHTTPRequestHandler):
    name = ""
    started = time.time()

    def do_GET(self) -> None:
        """Answer /metrics as an exporter does, and anything else as a healthy service does."""
        if self.path == "/metrics":
            body = f"process_start_time_seconds {self.started}\n"
            content_type = "text/plain; version=0.0.4"
        else:
            body = json.dumps({"service": self.name})
            content_type = "application/json"
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def serve(name: str, port: int) -> None:
    """Serve as `name` on loopback `port` until the process is ended."""
    handler = type("Handler", (_Handler,), {"name": name})
    http.server.ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[2], int(sys.argv[3]))
