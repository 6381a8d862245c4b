"""The OpenAPI document as a web page, which loads nothing but itself."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent / "templates" / "reference.html"


def page(document: dict[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    return TEMPLATE.read_text().format(
        title=html.escape(document["info"]["title"]),
        about=html.escape(document["info"]["description"]),
        operations="\n".join(_group(tag, document["paths"]) for tag in document["tags"]),
        schemas="\n".join(
            _schema(name, schema) for name, schema in document["components"]["schemas"].items()
        ),
    )


def _group(tag: dict[str, str], paths: dict[str, Any]) -> str:
    """Return the operations of one tag under its name."""
    operations = [
        _operation(method, path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if tag["name"] in operation["tags"]
    ]
    heading = f"<h3>{html.escape(tag['name'])}</h3>\n<p>{html.escape(tag['description'])}</p>"
    return "\n".join([heading, *operations])


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    description = html.escape(operation.get("description", ""))
    parts = [
        f"<summary><b class={method}>{method.upper()}</b> <code>{html.escape(path)}</code> "
        f"{html.escape(operation['summary'])}</summary>",
        f"<p>{description}</p>" if description else "",
        _inputs(operation),
        _table(
            [
                (status, html.escape(response["description"]))
                for status, response in operation["responses"].items()
            ]
        ),
    ]
    return f"<details>{''.join(parts)}</details>"


def _inputs(operation: dict[str, Any]) -> str:
    """Return the table of the parameters and the body, and an example of the body."""
    rows = [
        (
            f"<code>{parameter['name']}</code>",
            parameter["in"],
            _constraints(parameter),
            html.escape(parameter["description"]),
        )
        for parameter in operation["parameters"]
    ]
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return _table(rows)
    media_type, body = next(iter(content.items()))
    schema = body["schema"]["$ref"].rpartition("/")[2]
    rows.append(("body", media_type, "required", f'<a href="#{schema}">{schema}</a>'))
    example = html.escape(json.dumps(body["example"], indent=2))
    return f"{_table(rows)}<pre>{example}</pre>"


def _constraints(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    constraints = []
    if parameter.get("required"):
        constraints.append("required")
    if "format" in schema:
        constraints.append(schema["format"])
    if "enum" in schema:
        constraints.append(" | ".join(schema["enum"]))
    if "minimum" in schema:
        constraints.append(f"{schema['minimum']} to {schema['maximum']}")
    if "default" in schema:
        constraints.append(f"default {schema['default']}")
    return html.escape(", ".join(constraints))


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = html.escape(json.dumps(schema, indent=2))
    about = html.escape(schema.get("description", ""))
    summary = f"<summary><b>{name}</b> {about}</summary>"
    return f'<details id="{name}">{summary}<pre>{text}</pre></details>'


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{''.join(lines)}</table>"
