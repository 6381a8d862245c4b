"""Cursors: signed, and bound to one list of one tenant."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from chalicelib.security.cursors import Cursors
from chalicelib.shared.errors import Invalid
from chalicelib.shared.ids import uuid7
from chalicelib.shared.paging import Position, Query
from tests.fakes.clock import START

TENANT = uuid4()
POSITION = Position(START, uuid7())
QUERY = Query(filters={"status": "Open"})


def _read(
    cursor: str,
    *,
    secret: str = "s",
    tenant: UUID = TENANT,
    kind: str = "Job",
    query: Query = QUERY,
) -> Position:
    return Cursors(secret).read(cursor, tenant_id=tenant, kind=kind, query=query)


CURSOR = Cursors("s").write(POSITION, tenant_id=TENANT, kind="Job", query=QUERY)


def test_a_cursor_holds_where_the_page_ended() -> None:
    assert _read(CURSOR) == POSITION
    assert _read(CURSOR, query=replace(QUERY, limit=7)) == POSITION


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another"},
        {"tenant": uuid4()},
        {"kind": "Account"},
        {"query": Query()},
        {"query": replace(QUERY, descending=True)},
        {"query": replace(QUERY, search="x")},
    ],
)
def test_a_cursor_of_another_list_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        _read(CURSOR, **wrong)  # type: ignore[arg-type]


FORGED = ("B" if CURSOR[0] == "A" else "A") + CURSOR[1:]


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "A" * 600, CURSOR[:-2], FORGED, "====", CURSOR + "\n"]
)
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        _read(cursor)
    assert refused.value.errors[0].field == "cursor"
