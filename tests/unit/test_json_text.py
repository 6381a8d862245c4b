"""JSON from outside is read strictly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.shared.json_text import BadJson, load

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_json_is_read(value: object) -> None:
    assert load(json.dumps(value).encode()) == value
    if "\ud800" not in json.dumps(value, ensure_ascii=False):
        try:
            body = json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return
        assert load(body) == value


@given(st.binary(max_size=60))
def test_whatever_is_sent_is_read_or_refused(body: bytes) -> None:
    try:
        load(body)
    except BadJson as error:
        assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"x": [{"a": 1, "b": 2, "a": null}]}', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),
        (b'\xff{"a": 1}', "not UTF-8"),
        ('{"name": "Müller"}'.encode("latin-1"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b"", "not valid JSON"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
    ],
)
def test_what_readers_could_understand_differently_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(BadJson, match=reason):
        load(body)


def test_brackets_in_a_text_are_no_nesting() -> None:
    assert load(json.dumps({"a": '\\"[' * 1_000}).encode())
    assert load(b"[" * 100 + b"]" * 100)
