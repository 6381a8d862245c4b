"""How much of what may be wrong with the rules their tests notice: `python -m tests.slo.mutants [--json]`.

Each mutant is the shipped rules with one threshold, window, comparison or `for` changed. It
is caught when one of the test files fails on it. `--edges` tries > for >= too, counted
apart: on ratios that are measured it changes nothing.
"""

import argparse
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.slo import read, rules, text
from infra.slo.durations import Scale
from infra.slo.rules import Group
from tests.slo import promtool
from tests.slo.mutations import Mutant, mutants
from tests.slo.scenarios import SUITES

WANTED: Final = 0.95
EDGE: Final = "edge"
CHEAP_FIRST: Final = sorted(SUITES, key=lambda suite: suite.evaluations)


@dataclass(slots=True)
class Hunt:
    """Runs the tests on mutants; first those that caught a rule's last mutants, then those that tell of it."""

    groups: Sequence[Group]
    tests: list[Path] = field(
        default_factory=lambda: [promtool.TESTS / f"{suite.name}.yml" for suite in CHEAP_FIRST]
    )
    catchers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def check(self) -> None:
        """Run the tests on the rules as they are.

        Raises:
            RuntimeError: one fails, so that it would seem to catch everything.
        """
        with promtool.copied(
            text.dump({"groups": list(self.groups)}, "the rules"), self.tests
        ) as where:
            for test in self.tests:
                if _fails(test.name, where):
                    raise RuntimeError(
                        f"{test.name} fails on the rules as they are: run promtool on it first"
                    )

    def caught_by(self, mutant: Mutant) -> str | None:
        """Return the first test file that fails on `mutant`, or None: it survives. Slow: up to a minute."""
        changed = text.dump({"groups": mutant.applied(self.groups)}, "a mutant")
        with promtool.copied(changed, self.tests) as where:
            for test in self._order(mutant.rule):
                if _fails(test, where):
                    self.catchers[mutant.rule].append(test)
                    return test
        return None

    def _order(self, rule: str) -> list[str]:
        caught = self.catchers[rule]
        tells = {test.name: f'alertname="{rule}"' in test.read_text() for test in self.tests}
        return sorted(tells, key=lambda name: (-caught.count(name), not tells[name]))


def _fails(test: str, where: Path) -> bool:
    try:
        return promtool.run("test", "rules", test, where=where / "tests").returncode != 0
    except subprocess.TimeoutExpired:
        return True


@dataclass(frozen=True, slots=True)
class Score:
    """What a run found: mutants by kind, those caught, and who survived."""

    caught: dict[str, int]
    all: dict[str, int]
    survivors: tuple[Mutant, ...]

    def share(self, *, edges: bool = False) -> float:
        """Return the share that was caught, 0 to 1; with `edges` those at the edge too."""
        kinds = [kind for kind in self.all if edges or kind != EDGE]
        return sum(self.caught.get(kind, 0) for kind in kinds) / max(
            1, sum(self.all[kind] for kind in kinds)
        )

    def shown(self) -> dict[str, Any]:
        """Return the score as JSON values."""
        return {
            "caught": self.caught,
            "all": self.all,
            "share": round(self.share(), 4),
            "share_with_edges": round(self.share(edges=True), 4),
            "survivors": [
                {"rule": one.rule, "kind": one.kind, "change": one.change} for one in self.survivors
            ],
        }


def everything() -> tuple[list[Group], list[Mutant]]:
    """Return the shipped rules, and all their mutants."""
    groups = rules.build(read.objectives(), read.alerts(), Scale())
    return groups, mutants(groups)


def sample(found: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """Return `size` of the mutants found, the same ones for the same `seed`."""
    return random.Random(seed).sample(list(found), min(size, len(found)))


def run(
    groups: Sequence[Group],
    chosen: Sequence[Mutant],
    parallel: int,
    say: Callable[[str], None] = lambda _: None,
) -> Score:
    """Try `chosen` mutants, some `parallel`; tell progress to `say`."""
    hunt = Hunt(groups)
    caught: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    survivors: list[Mutant] = []
    with ThreadPoolExecutor(parallel) as pool:
        running = {pool.submit(hunt.caught_by, mutant): mutant for mutant in chosen}
        for number, done in enumerate(as_completed(running), 1):
            mutant = running[done]
            total[mutant.kind] += 1
            caught[mutant.kind] += done.result() is not None
            if done.result() is None:
                survivors.append(mutant)
                say(f"! survives: {mutant.rule}: {mutant.change}")
            elif number % 10 == 0:
                say(f"· {number} of {len(chosen)}, {len(survivors)} survived")
    return Score(dict(caught), dict(total), tuple(survivors))


def main() -> int:
    """Try all mutants, or a sample; return 1 if too many survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.slo.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, help="only so many, chosen by --seed")
    parser.add_argument("--edges", action="store_true", help="> for >= and the like too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parallel", type=int, choices=range(1, 17), default=2, metavar="1-16")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    chosen = parser.parse_args()
    groups, found = everything()
    tried = [one for one in found if chosen.edges or one.kind != EDGE]
    if chosen.sample:
        tried = sample(tried, chosen.sample, chosen.seed)
    Hunt(groups).check()
    score = run(
        groups,
        tried,
        chosen.parallel,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    if chosen.json:
        print(json.dumps(score.shown(), indent=1))
    else:
        for kind, number in score.all.items():
            print(f"{kind:<12}{score.caught.get(kind, 0):>5} of {number}")
        mark = "✓" if score.share() >= WANTED else "✗"
        print(f"{mark} {score.share():.1%} caught")
    return int(score.share() < WANTED)


if __name__ == "__main__":
    sys.exit(main())
