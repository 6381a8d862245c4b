"""The moves of a job."""

from itertools import product

import pytest

from chalicelib.crm.model import MOVES, JobStatus
from chalicelib.shared.errors import Conflict
from tests.builders.crm import job
from tests.fakes.clock import START

LEGAL = {
    ("Open", "Scheduled"),
    ("Open", "Cancelled"),
    ("Scheduled", "InProgress"),
    ("Scheduled", "OnHold"),
    ("Scheduled", "Cancelled"),
    ("InProgress", "Completed"),
    ("InProgress", "OnHold"),
    ("InProgress", "Cancelled"),
    ("OnHold", "Scheduled"),
    ("OnHold", "InProgress"),
    ("OnHold", "Cancelled"),
}


@pytest.mark.parametrize(("before", "after"), list(product(JobStatus, JobStatus)))
def test_a_job_makes_exactly_the_legal_moves(before: JobStatus, after: JobStatus) -> None:
    if (before.value, after.value) in LEGAL:
        moved = job(status=before).moved(after, START)
        assert (moved.status, moved.version) == (after, 2)
    else:
        with pytest.raises(Conflict) as refused:
            job(status=before).moved(after, START)
        allowed = {target for source, target in LEGAL if source == before.value}
        assert set(refused.value.extra["allowed"]) == allowed  # type: ignore[call-overload]


def test_every_status_is_in_the_table_of_moves() -> None:
    assert set(MOVES) == set(JobStatus)
