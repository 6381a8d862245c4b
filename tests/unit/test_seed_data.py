"""Sample data: the same for one seed, valid, in every status, and of no real company."""

import itertools
import json
import re

import pytest

from chalicelib.crm.commands import CreateAccount, CreateContact, CreateJob
from chalicelib.crm.model import MOVES, JobStatus
from infra.local import seed_data
from infra.local.seed_data import AccountPlan, plans

FICTIONAL_PHONE = r"\+1 202 555 01\d\d|\+44 20 7946 0\d{3}"
ACCOUNT_ID = "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11"
SAMPLE = list(plans(60, seed=1))


def test_one_seed_always_makes_the_same_data_and_another_makes_other_data() -> None:
    assert list(plans(60, seed=1)) == SAMPLE
    assert list(plans(60, seed=2)) != SAMPLE


def test_more_accounts_begin_with_the_accounts_of_fewer() -> None:
    assert list(plans(80, seed=1))[:60] == SAMPLE


def test_the_default_sample_has_a_few_hundred_rows() -> None:
    rows = sum(1 + len(plan.contacts) + len(plan.jobs) for plan in SAMPLE)
    assert 300 <= rows <= 600


@pytest.mark.parametrize("plan", SAMPLE, ids=lambda plan: plan.fields["name"])
def test_every_row_is_accepted_by_the_rules_for_callers(plan: AccountPlan) -> None:
    CreateAccount.model_validate(plan.fields)
    for contact in plan.contacts:
        CreateContact.model_validate(contact)
    for job in plan.jobs:
        CreateJob.model_validate_json(json.dumps({**job.fields, "accountId": ACCOUNT_ID}))
        assert job.contact is None or job.contact < len(plan.contacts)


def test_jobs_end_in_every_status_and_every_move_is_legal() -> None:
    ends = set()
    for job in (job for plan in plans(len(seed_data.MOVES), seed=7) for job in plan.jobs):
        statuses = [JobStatus.OPEN, *job.moves]
        for before, after in itertools.pairwise(statuses):
            assert after in MOVES[before]
        ends.add(statuses[-1])
    assert ends == set(JobStatus)


def test_names_emails_and_the_titles_of_an_account_s_jobs_are_unique() -> None:
    everything = list(plans(seed_data.MAX_ACCOUNTS, seed=3))
    names = [plan.fields["name"] for plan in everything]
    emails = [contact["email"] for plan in everything for contact in plan.contacts]
    assert len(names) == len(set(names)) == seed_data.MAX_ACCOUNTS
    assert len(emails) == len(set(emails))
    for plan in everything:
        titles = [job.fields["title"] for job in plan.jobs]
        assert len(titles) == len(set(titles))


def test_addresses_and_phone_numbers_reach_no_real_company_or_person() -> None:
    for plan in SAMPLE:
        assert re.fullmatch(r"https://www\.[a-z-]+\.example", plan.fields["website"])
        for fields in (plan.fields, *plan.contacts):
            assert re.fullmatch(FICTIONAL_PHONE, fields["phone"])
        assert all(contact["email"].endswith(".example") for contact in plan.contacts)


@pytest.mark.parametrize("count", [0, -1, seed_data.MAX_ACCOUNTS + 1])
def test_a_number_of_accounts_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to {seed_data.MAX_ACCOUNTS}"):
        list(plans(count, seed=1))
