"""The recipes of CONTRIBUTING.md are true: their files exist, are few, and are all there are."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.paths import ROOT
from tests.docs.markdown import tracked

RECIPE = re.compile(r"^### (Add an? [\w ]+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^- `([^`]+)`( \(new\))?:", re.MULTILINE)
EXAMPLE = re.compile(r"^Example: `(\w+)`", re.MULTILINE)
MAX_FILES = {
    "Add a field": 4,
    "Add an event type": 2,
    "Add an entity": 8,
    "Add a runbook": 3,
    "Add an objective": 1,
    "Add a setting": 1,
    "Add a function": 5,
}
GENERATED = (
    "chalicelib/static/",
    "infra/grafana/",
    "infra/prometheus/rules/",
    "infra/prometheus/tests/",
)
WRITTEN = ("app.py", "chalicelib/", "infra/", ".chalice/")
NOT_NEEDED = {
    "infra/local/demo.py",  # shows the first events of a job
    "infra/local/seed.py",  # writes sample data
    "infra/local/seed_data.py",  # sample data
    "infra/docs/openapi/document.py",  # introduces the API in a sentence
    "chalicelib/crm/__init__.py",
    "chalicelib/entrypoints/accounts.py",  # the example of a request
}
"""Hand-written files that mention an example and need no edit for the next of its kind."""


@dataclass(frozen=True)
class Recipe:
    title: str
    example: str
    files: list[str]
    new: list[str]

    def covers(self, file: str) -> bool:
        """Return whether the recipe lists `file`, or a new one in its folder."""
        folders = {str(Path(name).parent) for name in self.new}
        return file in self.files or str(Path(file).parent) in folders


def _recipes() -> list[Recipe]:
    recipes = []
    for title, text in RECIPE.findall((ROOT / "CONTRIBUTING.md").read_text()):
        example = EXAMPLE.search(text)
        assert example, title
        entries = FILE.findall(text)
        recipes.append(
            Recipe(
                title,
                example[1],
                [name for name, new in entries if not new],
                [name for name, new in entries if new],
            )
        )
    return recipes


RECIPES = _recipes()
by_title = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)


def test_there_is_a_recipe_for_each_common_change() -> None:
    assert {recipe.title for recipe in RECIPES} == set(MAX_FILES)


@by_title
def test_the_files_exist(recipe: Recipe) -> None:
    assert recipe.files
    assert not [name for name in recipe.files if not (ROOT / name).is_file()]
    for name in recipe.new:
        folder = (ROOT / name).parent
        assert list(folder.glob(f"*{Path(name).suffix}")), f"{name}: no neighbours"


@by_title
def test_a_change_touches_few_files(recipe: Recipe) -> None:
    assert len(recipe.files) + len(recipe.new) <= MAX_FILES[recipe.title]


@by_title
def test_every_file_that_mentions_the_example_is_listed(recipe: Recipe) -> None:
    word = re.compile(rf"\b{recipe.example}\b")
    mentioning = {
        str(path.relative_to(ROOT))
        for folder in WRITTEN
        for path in tracked(folder)
        if path.exists() and word.search(path.read_text(errors="ignore"))
    }
    mentioning = {name for name in mentioning if not name.startswith(GENERATED)}
    assert mentioning, f"nothing mentions {recipe.example}"
    assert not {name for name in mentioning - NOT_NEEDED if not recipe.covers(name)}
