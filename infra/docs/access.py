"""docs/access.md, generated from the table of routes and roles."""

from pathlib import Path

from chalicelib.entrypoints.access import OWN_CREDENTIAL, PUBLIC, RULES, Rule, System
from chalicelib.security.identity import Role

TEMPLATE = Path(__file__).parent / "templates" / "access.md"


def page() -> str:
    """Return docs/access.md."""
    return TEMPLATE.read_text().format(
        roles=" | ".join(Role),
        rules=" | ".join(["---"] * len(Role)),
        rows="\n".join(_row(method, path, rule) for (method, path), rule in RULES.items()),
    )


def _row(method: str, path: str, rule: Rule) -> str:
    everyone = ""
    cells = [""] * len(Role)
    if rule == PUBLIC:
        everyone = "✓"
    elif rule == OWN_CREDENTIAL:
        everyone = "with its own credential"
    else:
        mark = "system" if isinstance(rule, System) else "✓"
        cells = [mark if role in rule else "" for role in Role]
    return f"| {method} | `{path}` | {' | '.join([*cells, everyone])} |"
