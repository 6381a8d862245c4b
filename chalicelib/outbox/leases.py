"""The shards that a run of the relay leases: which ones, when to claim, and giving them back."""

from uuid import UUID

from chalicelib.outbox.run import RelayRun
from chalicelib.shared.ids import uuid7
from chalicelib.telemetry import names


class Leases:
    """The leases of one run. `owner` is new for each run; `shards` are the numbers it holds."""

    def __init__(self, run: RelayRun) -> None:
        """Hold no shard yet."""
        self.owner: UUID = uuid7()
        self.shards: list[int] = []
        self._run = run
        self._claim_at = 0.0

    def claim(self) -> None:
        """Claim shards when none is held, and at intervals: another relay may have given some back.

        Claiming also extends the leases already held, to past the end of the run.
        """
        run = self._run
        now = run.clock.monotonic()
        if self.shards and now < self._claim_at:
            return
        self._claim_at = now + run.policy.claim_seconds
        lease_seconds = max(0.0, run.seconds_left()) + run.policy.lease_margin_seconds
        shards = run.store.claim(self.owner, limit=run.policy.shards_per_run, seconds=lease_seconds)
        self.shards = sorted(shards)
        if not shards:
            run.report.lease_misses += 1
            run.meter.count(names.OUTBOX_LEASE_MISSES)

    def give_back(self, retry_after: float = 0.0) -> None:
        """Release every shard; none of them can be claimed for `retry_after` seconds.

        Raises:
            errors.Unavailable: the database cannot be reached; the leases then expire.
        """
        self._run.store.release(self.owner, retry_after=retry_after)

    def forget(self) -> None:
        """Hold no shard, so that the next `claim` asks the database."""
        self.shards = []
