"""Every kind of fault, each as one function, while writers write and relays relay."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults.relay_process import STEPS
from tests.faults.warm import WarmProcess
from tests.faults.world import World
from tests.faults.writers import Writers


@dataclass(frozen=True, slots=True)
class Scale:
    """How much: the short run is part of `make test`, the long one is `make faults`."""

    steps: tuple[str, ...]
    kills: int
    relays: int
    stall_seconds: float
    load_seconds: float
    per_second: float


SHORT = Scale(STEPS[1::3], kills=2, relays=3, stall_seconds=3.5, load_seconds=2.0, per_second=500.0)
LONG = Scale(STEPS, kills=50, relays=4, stall_seconds=30.0, load_seconds=30.0, per_second=4_000.0)
WHOLE_RUN = "600"


def killed_at_every_step(world: World, writers: Writers, scale: Scale) -> None:
    """SIGKILL before and after every call of a port, at a random one of the first calls."""
    dice = random.Random(7)
    for kind in ("too large", "one"):
        writers.poison(kind)
    with writers.at_work():
        for step in scale.steps:
            rare = step.endswith(("refuse", "park"))
            last = step.endswith(("release", "close"))
            if rare:
                writers.poison(step.replace(":", " "))
            countdown = 1 if rare or last or step.endswith("claim") else dice.randint(1, 3)
            arguments = ["--seconds", "0.8" if last else "20"]
            arguments += ["--die-at", step, "--countdown", str(countdown)]
            relay = world.relay(*arguments, RELAY_WAVE_ROWS="1000" if rare else "50")
            exit_code = relay.wait(30)
            assert exit_code == -signal.SIGKILL, (
                f"the relay should be killed at {step}, but ended with {exit_code}"
            )
            world.clear_leases()


def killed_at_random(world: World, writers: Writers, scale: Scale) -> None:
    """SIGKILL at random moments, under load."""
    dice = random.Random(11)
    with writers.at_work():
        for _ in range(scale.kills):
            relay = world.relay("--seconds", "30", RELAY_WAVE_ROWS="100")
            time.sleep(0.7 + dice.random())
            relay.kill()
            relay.wait(10)
            world.clear_leases()


def overlapping(world: World, writers: Writers, scale: Scale) -> None:
    """Relays whose leases expire while they work, so that two hold one shard; some are stopped."""
    with writers.at_work():
        arguments = ("--seconds", WHOLE_RUN, "--lease-seconds", "0.3")
        relays = [
            world.relay(*arguments, RELAY_SHARDS_PER_RUN="4", RELAY_WAVE_ROWS="100")
            for _ in range(scale.relays)
        ]
        until = time.monotonic() + scale.load_seconds + 2
        while time.monotonic() < until:
            for relay in relays:
                relay.send_signal(signal.SIGSTOP)
                time.sleep(0.4)
                relay.send_signal(signal.SIGCONT)
        _end(world, relays)


def broker_frozen(world: World, writers: Writers, scale: Scale) -> None:
    """The broker stops answering while every connection stays open, and then goes on."""
    with writers.at_work(), _relaying(world):
        time.sleep(max(1.0, scale.load_seconds / 5))
        world.kafka.pause()
        time.sleep(scale.stall_seconds)
        world.kafka.resume()
        time.sleep(max(1.0, scale.load_seconds / 5))


def broker_killed(world: World, writers: Writers, scale: Scale) -> None:
    """The broker is killed and started again."""
    with writers.at_work(), _relaying(world):
        time.sleep(max(1.0, scale.load_seconds / 5))
        world.kafka.kill()
        time.sleep(min(2, scale.stall_seconds))
        world.kafka.start({})
        time.sleep(max(1.0, scale.load_seconds / 5))


def database_killed(world: World, writers: Writers, scale: Scale) -> None:
    """PostgreSQL is killed and started again."""
    with writers.at_work(), _relaying(world):
        time.sleep(max(1.0, scale.load_seconds / 5))
        world.postgres.kill()
        time.sleep(min(1, scale.stall_seconds))
        world.postgres.start()
        time.sleep(max(1.0, scale.load_seconds / 5))


def network_cut(world: World, writers: Writers, scale: Scale) -> None:
    """Connections to the broker, then to the database, are cut and refused for a while."""
    with writers.at_work(), _relaying(world):
        for proxy in (world.kafka_proxy, world.postgres_proxy):
            time.sleep(0.7)
            proxy.cut = True
            proxy.disconnect()
            time.sleep(min(3, scale.stall_seconds / 2))
            proxy.cut = False
        time.sleep(0.5)


def broker_slow(world: World, writers: Writers, scale: Scale) -> None:
    """Every answer of the broker takes longer."""
    world.kafka_proxy.delay_seconds = 0.15
    with writers.at_work(), _relaying(world):
        time.sleep(scale.load_seconds)
        world.kafka_proxy.delay_seconds = 0.0


def poisoned(world: World, writers: Writers, scale: Scale) -> None:
    """Events that are too large or have no topic: exactly their streams are parked."""
    with writers.at_work(), _relaying(world):
        for kind in ("too large", "one", "too large", "two"):
            writers.poison(kind)
            time.sleep(scale.load_seconds / 4)


def clock_wrong(world: World, writers: Writers, scale: Scale) -> None:
    """The functions' clocks are an hour ahead, and an hour behind."""
    with writers.at_work():
        relays = [
            world.relay("--seconds", WHOLE_RUN, "--clock-off", str(off), RELAY_SHARDS_PER_RUN="4")
            for off in (3600, -3600)
        ]
        time.sleep(scale.load_seconds)
        _end(world, relays)


SCENARIOS: dict[str, Callable[[World, Writers, Scale], None]] = {
    scenario.__name__: scenario
    for scenario in (
        killed_at_every_step,
        killed_at_random,
        overlapping,
        broker_frozen,
        broker_killed,
        database_killed,
        network_cut,
        broker_slow,
        poisoned,
        clock_wrong,
    )
}


@contextmanager
def _relaying(world: World) -> Iterator[None]:
    """Run a relay while the block runs."""
    relay = world.relay("--seconds", WHOLE_RUN, RELAY_WAVE_ROWS="200")
    yield
    _end(world, [relay])


def _end(world: World, relays: list[WarmProcess]) -> None:
    for relay in relays:
        assert relay.poll() is None, f"a relay ended by itself with {relay.returncode}"
        relay.kill()
    for relay in relays:
        relay.wait(10)
    world.clear_leases()
