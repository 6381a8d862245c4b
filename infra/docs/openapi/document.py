"""The OpenAPI 3.1 document as a whole. `make fmt` writes it."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from chalicelib.crm.entities import ENTITIES
from chalicelib.entrypoints.crm_operations import tag_of
from chalicelib.entrypoints.operation import OPERATIONS, Operation, Tag
from infra.docs.openapi import schemas
from infra.docs.openapi.paths import paths

VERSION = "1.0.0"
DESCRIPTION = (
    "A CRM for accounts, contacts and jobs whose domain events reach Kafka at least once, "
    "with self-healing operations. Errors are problem documents (RFC 9457). Requests that "
    "change the CRM can be repeated safely with an `Idempotency-Key`. "
    "HEAD is answered wherever GET is."
)
TAGS: Mapping[str, str] = {
    **{tag_of(kind): (inspect.getdoc(kind.model) or "").partition("\n")[0] for kind in ENTITIES},
    Tag.OUTBOX: "The transactional outbox: its backlog, parked streams and replays.",
    Tag.AUTOHEAL: "Automatic remediation of alerts: webhook, approvals and configuration.",
    Tag.ALERTS: "Firing alerts, acknowledgements and silences.",
    Tag.AUDIT: "The audit log of the self-healing.",
    Tag.SERVICE: "The service itself: health, metrics and this reference.",
}
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the issuer; locally, `make token` prints one.",
    },
    "webhook": {
        "type": "http",
        "scheme": "bearer",
        "description": "Alertmanager's token, one of AUTOHEAL_WEBHOOK_TOKENS.",
    },
    "scraper": {
        "type": "http",
        "scheme": "bearer",
        "description": "Prometheus's token, one of METRICS_SCRAPE_TOKENS.",
    },
    "link": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The token of a signed link, as alert messages contain it.",
    },
}


def operations() -> Mapping[str, Operation]:
    """Return every operation of the API by its id."""
    importlib.import_module("app")
    return OPERATIONS


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the API."""
    stated = operations()
    routes = importlib.import_module("app").app.routes
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AetherLink Command Center",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": ".", "description": "Where this document is."}],
        "tags": [{"name": tag, "description": about} for tag, about in TAGS.items()],
        "paths": paths(routes, stated),
        "components": {
            "schemas": schemas.components(stated.values()),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }
