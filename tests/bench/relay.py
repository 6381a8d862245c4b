"""How fast the relay is: `python -m tests.bench.relay [--quick | --smoke] [--json FILE]`.

Side by side in one run, on a real PostgreSQL (durable settings) and a real Apache Kafka:
(a) one awaited send and one UPDATE + COMMIT for each event, 100 rows a poll; (b) batches with
SKIP LOCKED and a published flag; (c) this relay; (d) the upper limit: kafka-python alone,
sending the same bytes. Then (c) with a filled archive, its peak memory, and the latency from
commit to Kafka at several rates.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from tests.bench import drains
from tests.bench.latency import latency
from tests.bench.stack import Stack, started_stack


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `archived` are sizes of the archive, `rates` events a second."""

    events: int
    archived: tuple[int, ...]
    rates: tuple[int, ...]
    repeats: int = 3
    one_by_one_seconds: float = 8.0
    latency_seconds: float = 20.0
    warm_up_seconds: float = 2.0


FULL = Scale(100_000, archived=(0, 1_000_000, 10_000_000), rates=(1, 100, 1_000))
QUICK = Scale(20_000, archived=(0,), rates=(100,))
SMOKE = Scale(
    100,
    archived=(100,),
    rates=(50,),
    repeats=1,
    one_by_one_seconds=0.2,
    latency_seconds=0.5,
    warm_up_seconds=0.2,
)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def measure(stack: Stack, scale: Scale) -> dict[str, Any]:
    """Measure everything; return the figures."""
    figures: dict[str, Any] = {"events": scale.events, **drain_rates(stack, scale)}
    archived, memory = rates_with_archive(stack, scale)
    figures["memory_mb"] = max(figures["memory_mb"], memory)
    figures["archived"] = archived
    figures["latency"] = latencies(stack, scale)
    return figures


def drain_rates(stack: Stack, scale: Scale) -> dict[str, float]:
    """Return events a second of each way, and the relay's peak memory in MB."""
    events = scale.events
    stack.fill(events)
    original = drains.one_by_one(stack, scale.one_by_one_seconds)
    say(f"(a) one send, one commit an event   {original:9.0f} events/s")
    stack.fill(events)
    naive = drains.skip_locked(stack)
    say(f"(b) batches, SKIP LOCKED, a flag    {naive:9.0f} events/s")
    stack.fill(events)
    sample = drains.sample(events)
    relay_rates = []
    producer_rates = []
    memory = 0.0
    for _ in range(scale.repeats):
        stack.fill(events)
        rate, used = drains.relay(stack, events)
        relay_rates.append(rate)
        memory = max(memory, used)
        producer_rates.append(drains.producer_alone(stack, sample))
    ours = statistics.median(relay_rates)
    ceiling = statistics.median(producer_rates)
    say(f"(c) this relay                      {ours:9.0f} events/s, {memory:.0f} MB at its peak")
    say(f"(d) kafka-python alone              {ceiling:9.0f} events/s")
    say(
        f"    (c) is {ours / ceiling:.2f} of (d), {ours / original:.0f} x (a),"
        f" {ours / naive:.1f} x (b)"
    )
    return {
        "original": original,
        "naive": naive,
        "ours": ours,
        "ceiling": ceiling,
        "memory_mb": memory,
    }


def rates_with_archive(stack: Stack, scale: Scale) -> tuple[list[dict[str, float]], float]:
    """Return events a second of the relay for each size of the archive, and its peak memory."""
    results = []
    memory = 0.0
    previous_size = 0
    for size in scale.archived:
        if size > previous_size:
            stack.archive(size - previous_size)
            previous_size = size
        best_rate = 0.0
        for _ in range(min(2, scale.repeats)):
            stack.fill(scale.events)
            rate, used = drains.relay(stack, scale.events)
            best_rate = max(best_rate, rate)
            memory = max(memory, used)
        results.append({"archived": size, "per_second": best_rate})
        say(f"    with {size:>10,} archived          {best_rate:9.0f} events/s")
    return results, memory


def latencies(stack: Stack, scale: Scale) -> list[dict[str, float]]:
    """Return the time from commit to Kafka at each rate."""
    results = []
    for target_rate in scale.rates:
        stack.empty()
        figures = latency(stack, target_rate, scale.latency_seconds, scale.warm_up_seconds)
        results.append({"target_rate": target_rate, **figures})
        spread = ", ".join(f"{name} {figures[name]:.0f} ms" for name in ("p50", "p99", "max"))
        say(f"    commit to Kafka at {figures['rate']:6.0f}/s: {spread}")
    return results


@contextmanager
def own_stack() -> Iterator[Stack]:
    """Start services of the bench's own, in a temporary folder that PostgreSQL may enter."""
    with tempfile.TemporaryDirectory(prefix="aetherlink-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        with started_stack(home) as stack:
            yield stack


def main(argv: Sequence[str] | None = None, *, stack: Stack | None = None) -> int:
    """Run the bench, on `stack` if there is one; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_true", help="20,000 events, no filled archive, one latency"
    )
    size.add_argument("--smoke", action="store_true", help="only check that the bench runs")
    parser.add_argument("--latency", action="store_true", help="measure only the latencies")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args(argv)
    scale = FULL
    if arguments.quick:
        scale = QUICK
    if arguments.smoke:
        scale = SMOKE
    opened: AbstractContextManager[Stack] = own_stack() if stack is None else nullcontext(stack)
    with opened as services:
        before = bootstrap.use(Container(services.settings))
        try:
            if arguments.latency:
                figures: dict[str, Any] = {"latency": latencies(services, scale)}
            else:
                figures = measure(services, scale)
        finally:
            bootstrap.use(before)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
