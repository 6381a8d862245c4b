"""The checker itself: it must find every planted violation."""

from dataclasses import replace

from tests.faults.checker import Committed, Delivered, check

COMMITTED = [
    Committed(f"{stream}-{seq}", stream, seq) for stream in ("a", "b") for seq in (1, 2, 3)
]
DELIVERED = [
    Delivered(
        event.event_id,
        event.stream,
        event.seq,
        1_000 + event.seq,
        ("t" if event.seq < 3 else "u", 0, offset),
    )
    for offset, event in enumerate(COMMITTED)
]


def _parked(event_id: str) -> list[Committed]:
    """Return the committed events, with one of them parked."""
    return [replace(event, parked=event.event_id == event_id) for event in COMMITTED]


def _delivered_without(event_id: str) -> list[Delivered]:
    return [record for record in DELIVERED if record.event_id != event_id]


def test_a_run_without_violations_is_good() -> None:
    findings = check(COMMITTED, DELIVERED, acknowledged_to_writers=["a-1"])
    assert findings.good
    assert (findings.committed, findings.delivered, findings.duplicates) == (6, 6, 0)


def test_a_planted_loss_is_found() -> None:
    assert check(COMMITTED, DELIVERED[1:]).lost
    assert check(COMMITTED, DELIVERED, acknowledged_to_writers=["c-1"]).lost


def test_a_planted_swap_is_found_within_a_topic_and_across_topics() -> None:
    within = [
        replace(record, position=("t", 0, 9)) if record.event_id == "a-1" else record
        for record in DELIVERED
    ]
    assert "came before" in check(COMMITTED, within).disorder[0]
    across = [
        replace(record, appended_ms=500) if record.event_id == "a-3" else record
        for record in DELIVERED
    ]
    assert "came before" in check(COMMITTED, across).disorder[0]


def test_a_planted_gap_is_found() -> None:
    findings = check(_parked("a-2"), _delivered_without("a-2"), poisoned=["a"])
    assert "gap" in findings.disorder[0]


def test_an_invented_event_is_found() -> None:
    assert check(COMMITTED[:-1], DELIVERED).invented


def test_a_stream_that_is_wrongly_parked_or_wrongly_not_parked_is_found() -> None:
    parked = _parked("a-3")
    delivered = _delivered_without("a-3")
    assert check(parked, delivered).parked_wrongly
    assert check(COMMITTED, DELIVERED, poisoned=["a"]).parked_wrongly
    assert check(parked, delivered, poisoned=["a"]).good


def test_duplicates_are_counted_and_allowed() -> None:
    late = [
        replace(record, appended_ms=9_000, position=("t", 0, 90 + record.seq))
        for record in DELIVERED[:2]
    ]
    findings = check(COMMITTED, DELIVERED + late)
    assert (findings.good, findings.duplicates) == (True, 2)
