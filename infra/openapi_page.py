"""The OpenAPI document as a page to read, which loads nothing from anywhere. `make fmt` writes it."""

import html
import json
from typing import Any

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #dfe3ea; vertical-align: top }}
code, pre {{ font: 13px/1.45 ui-monospace, monospace }} pre {{ background: #f5f7fa; padding: 1rem; overflow: auto }}
summary {{ cursor: pointer; padding: .3rem 0 }} a {{ color: #2f6fed }}
</style></head><body>
<h1>{title}</h1><p>{about}</p>
<p>Writes take an <code>Idempotency-Key</code>; changes need <code>If-Match</code> with the ETag that was read; lists
take <code>limit</code>, <code>cursor</code>, <code>sort</code> and <code>q</code>. The machine-readable document is
<a href="openapi.json">openapi.json</a>.</p>
<h2>Operations</h2>
<table><thead><tr><th>Operation</th><th>What it does</th><th>Takes</th><th>Answers</th></tr></thead><tbody>
{rows}
</tbody></table>
<h2>Schemas</h2>
{schemas}
</body></html>
"""


def page(document: dict[str, Any]) -> str:
    """Return the document as a page that needs nothing from elsewhere."""
    rows = []
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            takes = one.get("requestBody", {}).get("content", {})
            schema = next((body["schema"]["$ref"].rpartition("/")[2] for body in takes.values()), "")
            answers = ", ".join(one["responses"])
            named = f'<a href="#{schema}">{schema}</a>' if schema else ""
            cells = (
                f"<b>{method.upper()}</b> <code>{html.escape(path)}</code>",
                html.escape(one["summary"]),
                named,
                answers,
            )
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    schemas = []
    for name, schema in document["components"]["schemas"].items():
        text = html.escape(json.dumps(schema, indent=2))
        about = html.escape(schema.get("description", ""))
        schemas.append(f'<details id="{name}"><summary><b>{name}</b> {about}</summary><pre>{text}</pre></details>')
    return PAGE.format(
        title=html.escape(document["info"]["title"]),
        about=html.escape(document["info"]["description"]),
        rows="\n".join(rows),
        schemas="\n".join(schemas),
    )
