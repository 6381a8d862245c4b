from chalicelib.outbox.envelope import shard_of, topic_of
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox


def test_each_event_type_has_a_topic_unless_the_template_is_a_plain_name() -> None:
    assert (
        topic_of("aetherlink.events.{event_type}", "JobStatusChanged")
        == "aetherlink.events.jobstatuschanged"
    )
    assert topic_of("aetherlink.events", "JobStatusChanged") == "aetherlink.events"


def test_streams_are_spread_over_all_shards() -> None:
    assert {shard_of(f"job:{number}", 8) for number in range(200)} == set(range(8))


def test_a_record_has_its_own_headers_and_those_of_cloudevents() -> None:
    event = FakeOutbox(FakeClock()).append("job:7")._replace(headers='{"traceparent": "00-a"}')
    headers = dict(event.record_headers())
    assert headers == {
        "event_id": event.event_id.encode(),
        "tenant_id": event.tenant_id.encode(),
        "event_type": b"JobCreated",
        "occurred_at": b"2030-01-01T00:00:00.000000Z",
        "stream_seq": b"1",
        "schema_version": b"1",
        "content-type": b"application/json",
        "ce_id": event.event_id.encode(),
        "ce_type": b"JobCreated",
        "ce_source": b"/aetherlink/crm",
        "ce_subject": b"job:7",
        "ce_time": b"2030-01-01T00:00:00.000000Z",
        "ce_specversion": b"1.0",
        "traceparent": b"00-a",
    }


def test_a_dead_letter_has_the_key_of_its_stream() -> None:
    assert FakeOutbox(FakeClock()).append("dlq:job:7").key == b"job:7"
