"""The checker itself: it must catch what is planted."""

from dataclasses import replace

from tests.faults.checker import Committed, Delivered, check

COMMITTED = [
    Committed(f"{stream}-{seq}", stream, seq) for stream in ("a", "b") for seq in (1, 2, 3)
]
DELIVERED = [
    Delivered(
        one.event_id,
        one.stream,
        one.seq,
        1_000 + one.seq,
        ("t" if one.seq < 3 else "u", 0, number),
    )
    for number, one in enumerate(COMMITTED)
]


def test_a_faultless_run_is_good() -> None:
    found = check(COMMITTED, DELIVERED, acknowledged_to_writers=["a-1"])
    assert found.good
    assert (found.committed, found.delivered, found.duplicates) == (6, 6, 0)


def test_a_planted_loss_is_caught() -> None:
    assert check(COMMITTED, DELIVERED[1:]).lost
    assert check(COMMITTED, DELIVERED, acknowledged_to_writers=["c-1"]).lost


def test_a_planted_swap_is_caught_within_a_topic_and_across_topics() -> None:
    within = [
        replace(one, place=("t", 0, 9)) if one.event_id == "a-1" else one for one in DELIVERED
    ]
    assert "came before" in check(COMMITTED, within).disorder[0]
    across = [replace(one, appended_ms=500) if one.event_id == "a-3" else one for one in DELIVERED]
    assert "came before" in check(COMMITTED, across).disorder[0]


def test_a_planted_gap_is_caught() -> None:
    parked = [replace(one, parked=True) if one.event_id == "a-2" else one for one in COMMITTED]
    gap = [one for one in DELIVERED if one.event_id != "a-2"]
    assert "gap" in check(parked, gap, poisoned=["a"]).disorder[0]


def test_an_invented_event_is_caught() -> None:
    assert check(COMMITTED[:-1], DELIVERED).invented


def test_a_stream_parked_without_reason_or_not_parked_with_one_is_caught() -> None:
    parked = [replace(one, parked=True) if one.event_id == "a-3" else one for one in COMMITTED]
    delivered = [one for one in DELIVERED if one.event_id != "a-3"]
    assert check(parked, delivered).parked_wrongly
    assert check(COMMITTED, DELIVERED, poisoned=["a"]).parked_wrongly
    assert check(parked, delivered, poisoned=["a"]).good


def test_duplicates_are_counted_and_do_no_harm() -> None:
    late = [replace(one, appended_ms=9_000, place=("t", 0, 90 + one.seq)) for one in DELIVERED[:2]]
    found = check(COMMITTED, DELIVERED + late)
    assert (found.good, found.duplicates) == (True, 2)
