"""Generate the documents that are made from the code, or check that they are up to date."""

import argparse
import json
import sys

from chalicelib.crm.events import TYPES
from infra import dependencies
from infra.docs import access, collection, configuration, decisions, deployment, events
from infra.docs.openapi.document import document
from infra.paths import ROOT


def documents() -> dict[str, str]:
    """Return every generated document by its path."""
    schemas = {f"docs/events/{kind.__name__}.json": events.event_schema(kind) for kind in TYPES}
    openapi = document()
    return {
        "docs/configuration.md": configuration.page(),
        "docs/access.md": access.page(),
        "docs/decisions/README.md": decisions.page(),
        "docs/deployment.md": deployment.page(),
        "docs/asyncapi.json": events.asyncapi(),
        "docs/licences.md": dependencies.page(dependencies.run()),
        "chalicelib/static/openapi.json": json.dumps(openapi, indent=1) + "\n",
        **collection.files(openapi),
        **schemas,
    }


def main() -> int:
    """Write the documents, or check them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.docs", description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a document is out of date",
    )
    arguments = parser.parse_args()
    stale = []
    for name, text in documents().items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not arguments.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if arguments.check and stale:
        print(f"✗ out of date: {', '.join(stale)}. Run `make fmt`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
