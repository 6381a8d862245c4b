"""A fake of the Pushgateway."""

from chalicelib.shared.errors import Unavailable


class FakePusher:
    """A `Pusher` that remembers the last set of each job."""

    def __init__(self) -> None:
        self.groups: dict[str, str] = {}
        self.down = False

    def put(self, job: str, text: str) -> None:
        if self.down:
            raise Unavailable("down", cause="test")
        self.groups[job] = text
