"""The OpenAPI document as a page to read, which loads nothing from anywhere. `make fmt` writes it."""

import html
import json
from collections.abc import Sequence
from typing import Any

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #dfe3ea; vertical-align: top }}
code, pre {{ font: 13px/1.45 ui-monospace, monospace }} pre {{ background: #f5f7fa; padding: 1rem; overflow: auto }}
summary {{ cursor: pointer; padding: .3rem 0 }} td:first-child {{ width: 11rem }}
details > table, details > pre {{ margin: .4rem 0 1rem 1.2rem }}
b.post {{ color: #1a7f37 }} b.patch {{ color: #9a6700 }} b.delete {{ color: #cf222e }} b.get {{ color: #2f6fed }}
 a {{ color: #2f6fed }}
</style></head><body>
<h1>{title}</h1><p>{about}</p>
<p>Writes take an <code>Idempotency-Key</code>; changes need <code>If-Match</code> with the ETag that was read; lists
take <code>limit</code>, <code>cursor</code>, <code>sort</code> and <code>q</code>. The machine-readable document is
<a href="openapi.json">openapi.json</a>.</p>
<h2>Operations</h2>
{operations}
<h2>Schemas</h2>
{schemas}
</body></html>
"""


def page(document: dict[str, Any]) -> str:
    """Return the document as a page."""
    tags: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            tags.setdefault(one["tags"][0], []).append(_operation(method, path, one))
    schemas = document["components"]["schemas"]
    return PAGE.format(
        title=html.escape(document["info"]["title"]),
        about=html.escape(document["info"]["description"]),
        operations="\n".join(
            f"<h3>{tag}</h3>\n" + "\n".join(shown) for tag, shown in sorted(tags.items())
        ),
        schemas="\n".join(_schema(name, schema) for name, schema in schemas.items()),
    )


def _operation(method: str, path: str, one: dict[str, Any]) -> str:
    asked = [
        (
            f"<code>{each['name']}</code>",
            each["in"],
            _constraints(each),
            html.escape(each.get("description", "")),
        )
        for each in one["parameters"]
    ]
    body = next(iter(one.get("requestBody", {}).get("content", {}).items()), None)
    example = ""
    if body:
        kind = body[0]
        named = body[1]["schema"]["$ref"].rpartition("/")[2]
        asked.append(("body", kind, "required", f'<a href="#{named}">{named}</a>'))
        example = f"<pre>{html.escape(json.dumps(body[1]['example'], indent=2))}</pre>"
    answers = [
        (status, html.escape(answer["description"])) for status, answer in one["responses"].items()
    ]
    heading = f"<b class={method}>{method.upper()}</b> <code>{html.escape(path)}</code> {html.escape(one['summary'])}"
    return (
        f"<details><summary>{heading}</summary>{_table(asked)}{example}{_table(answers)}</details>"
    )


def _constraints(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    said = ["required"] if parameter.get("required") else []
    said += [schema["format"]] if "format" in schema else []
    said += [" | ".join(schema["enum"])] if "enum" in schema else []
    said += [f"{schema['minimum']} to {schema['maximum']}"] if "minimum" in schema else []
    said += [f"default {schema['default']}"] if "default" in schema else []
    return html.escape(", ".join(said))


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = html.escape(json.dumps(schema, indent=2))
    about = html.escape(schema.get("description", ""))
    return (
        f'<details id="{name}"><summary><b>{name}</b> {about}</summary><pre>{text}</pre></details>'
    )


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{''.join(lines)}</table>" if rows else ""
