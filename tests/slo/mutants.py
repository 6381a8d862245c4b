"""Measure how many errors in the rules their tests detect: `python -m tests.slo.mutants`.

Each mutant is the shipped rules with one threshold, window, comparison or `for` changed. It
is caught when one of the test files fails on it. `--edges` tries > for >= too, counted
apart: on measured ratios it changes nothing. A run without `--sample` writes which test
file caught each mutant to catchers.json, so that later runs try that file first.
"""

import argparse
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
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

REQUIRED: Final = 0.95
RECORD: Final = Path(__file__).parent / "catchers.json"
EDGE: Final = "edge"
CHEAP_FIRST: Final = sorted(SUITES, key=lambda suite: suite.evaluations)


@dataclass(slots=True)
class Hunt:
    """Runs the tests on mutants.

    The order is: the file that caught this mutant before, those that caught others of its
    rule, those that name it, the cheap ones.
    """

    groups: Sequence[Group]
    tests: list[Path] = field(
        default_factory=lambda: [promtool.TESTS / f"{suite.name}.yml" for suite in CHEAP_FIRST]
    )
    record: Mapping[str, str] = field(default_factory=lambda: recorded(RECORD))
    caught: dict[str, str] = field(default_factory=dict)
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
        """Return the first test file that fails on `mutant`, or None if it survives."""
        changed = text.dump({"groups": mutant.applied(self.groups)}, "a mutant")
        with promtool.copied(changed, self.tests) as where:
            for test in self._order(mutant):
                if _fails(test, where):
                    self.catchers[mutant.rule].append(test)
                    self.caught[_key(mutant)] = test
                    return test
        return None

    def _order(self, mutant: Mutant) -> list[str]:
        before = self.record.get(_key(mutant))
        caught = self.catchers[mutant.rule]
        rule = mutant.rule.partition("{")[0]
        names_rule = {test.name: rule in test.read_text() for test in self.tests}
        return sorted(
            names_rule,
            key=lambda name: (name != before, -caught.count(name), not names_rule[name]),
        )


def recorded(path: Path) -> dict[str, str]:
    """Return the test file that caught each mutant in an earlier run; a hint, never a verdict."""
    record: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return record


def _key(mutant: Mutant) -> str:
    return f"{mutant.rule}: {mutant.change}"


def _fails(test: str, where: Path) -> bool:
    try:
        return promtool.run("test", "rules", test, where=where / "tests").returncode != 0
    except subprocess.TimeoutExpired:
        return True


@dataclass(frozen=True, slots=True)
class Score:
    """The result of a run: mutants by kind, those caught, and the survivors."""

    caught: dict[str, int]
    all: dict[str, int]
    survivors: tuple[Mutant, ...]

    def share(self, *, edges: bool = False) -> float:
        """Return the share that was caught, 0 to 1; with `edges` those at the edge too."""
        kinds = [kind for kind in self.all if edges or kind != EDGE]
        return sum(self.caught.get(kind, 0) for kind in kinds) / max(
            1, sum(self.all[kind] for kind in kinds)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the score as JSON values."""
        return {
            "caught": self.caught,
            "all": self.all,
            "share": round(self.share(), 4),
            "share_with_edges": round(self.share(edges=True), 4),
            "survivors": [
                {"rule": mutant.rule, "kind": mutant.kind, "change": mutant.change}
                for mutant in self.survivors
            ],
        }


def everything() -> tuple[list[Group], list[Mutant]]:
    """Return the shipped rules, and all their mutants."""
    groups = rules.build(read.objectives(), read.alerts(), Scale())
    return groups, mutants(groups)


def sample(population: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """Return `size` of the mutants, the same ones for the same `seed`."""
    return random.Random(seed).sample(list(population), min(size, len(population)))


def run(
    hunt: Hunt,
    selected: Sequence[Mutant],
    parallel: int,
    say: Callable[[str], None] = lambda _: None,
) -> Score:
    """Try the `selected` mutants, some `parallel`; report progress to `say`."""
    caught: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    survivors: list[Mutant] = []
    with ThreadPoolExecutor(parallel) as pool:
        running = {pool.submit(hunt.caught_by, mutant): mutant for mutant in selected}
        for number, done in enumerate(as_completed(running), 1):
            mutant = running[done]
            total[mutant.kind] += 1
            caught[mutant.kind] += done.result() is not None
            if done.result() is None:
                survivors.append(mutant)
                say(f"! survives: {mutant.rule}: {mutant.change}")
            elif number % 10 == 0:
                say(f"· {number} of {len(selected)}, {len(survivors)} survived")
    return Score(dict(caught), dict(total), tuple(survivors))


def main() -> int:
    """Try all mutants, or a sample; return 1 if too many survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.slo.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, help="only so many, chosen by --seed")
    parser.add_argument("--edges", action="store_true", help="> for >= and the like too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parallel", type=int, choices=range(1, 17), default=2, metavar="1-16")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    groups, population = everything()
    selected = [mutant for mutant in population if options.edges or mutant.kind != EDGE]
    if options.sample:
        selected = sample(selected, options.sample, options.seed)
    hunt = Hunt(groups)
    hunt.check()
    score = run(
        hunt,
        selected,
        options.parallel,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    if not options.sample:
        RECORD.write_text(json.dumps(dict(sorted(hunt.caught.items())), indent=1) + "\n")
    if options.json:
        print(json.dumps(score.to_dict(), indent=1))
    else:
        for kind, number in score.all.items():
            print(f"{kind:<12}{score.caught.get(kind, 0):>5} of {number}")
        mark = "✓" if score.share() >= REQUIRED else "✗"
        print(f"{mark} {score.share():.1%} caught")
    return int(score.share() < REQUIRED)


if __name__ == "__main__":
    sys.exit(main())
