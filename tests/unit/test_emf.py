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
    members = json.loads(line)
    [metadata] = members["_aws"]["CloudWatchMetrics"]
    assert metadata["Dimensions"] == [["stage", "function"]]
    assert {metric["Name"]: metric["Unit"] for metric in metadata["Metrics"]} == {
        "outbox_published_total": "Count",
        "outbox_pending": "Count",
        "outbox_mark_duration_seconds": "Seconds",
    }
    assert (members["outbox_published_total"], members["outbox_pending"], members["stage"]) == (
        3,
        7,
        "prod",
    )
    assert len(members["outbox_mark_duration_seconds"]) == MAX_VALUES
