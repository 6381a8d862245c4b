import io
import json

from chalicelib.adapters.emf import MAX_VALUES, EmfMeter
from tests.fakes.clock import FakeClock


def test_measurements_become_one_line_that_cloudwatch_reads() -> None:
    out = io.StringIO()
    meter = EmfMeter(FakeClock(), stage="prod", function="relay", out=out)
    meter.count("outbox_published_total", 2)
    meter.count("outbox_published_total")
    meter.gauge("outbox_pending", 7)
    for number in range(MAX_VALUES + 5):
        meter.observe("outbox_mark_duration_seconds", number)
    meter.flush()
    meter.flush()
    [line] = out.getvalue().splitlines()
    said = json.loads(line)
    [about] = said["_aws"]["CloudWatchMetrics"]
    assert about["Dimensions"] == [["stage", "function"]]
    assert {one["Name"]: one["Unit"] for one in about["Metrics"]} == {
        "outbox_published_total": "Count",
        "outbox_pending": "Count",
        "outbox_mark_duration_seconds": "Seconds",
    }
    assert (said["outbox_published_total"], said["outbox_pending"], said["stage"]) == (
        3,
        7,
        "prod",
    )
    assert len(said["outbox_mark_duration_seconds"]) == MAX_VALUES
