"""The JSON Schemas of alerts and silences, in the members that Alertmanager's API v2 names.

Alertmanager may add members, so none is required but those that this API adds or relies on.
"""

from chalicelib.entrypoints.schemas import (
    BOOLEAN,
    OPTIONAL_STRING,
    STRING,
    STRING_MAP,
    array_of,
    object_schema,
)

ALERT_STATUS = {
    **object_schema(
        {},
        {"state": STRING, "silencedBy": array_of(STRING), "inhibitedBy": array_of(STRING)},
    ),
    "additionalProperties": True,
}
ALERT = {
    **object_schema(
        {"ackUrl": OPTIONAL_STRING},
        {
            "labels": STRING_MAP,
            "annotations": STRING_MAP,
            "fingerprint": STRING,
            "status": ALERT_STATUS,
            "startsAt": STRING,
            "endsAt": STRING,
            "updatedAt": STRING,
            "generatorURL": STRING,
        },
    ),
    "additionalProperties": True,
}
MATCHER = {
    **object_schema({}, {"name": STRING, "value": STRING, "isRegex": BOOLEAN, "isEqual": BOOLEAN}),
    "additionalProperties": True,
}
SILENCE_STATUS = {**object_schema({}, {"state": STRING}), "additionalProperties": True}
SILENCE = {
    **object_schema(
        {},
        {
            "id": STRING,
            "matchers": array_of(MATCHER),
            "status": SILENCE_STATUS,
            "startsAt": STRING,
            "endsAt": STRING,
            "updatedAt": STRING,
            "createdBy": STRING,
            "comment": STRING,
        },
    ),
    "additionalProperties": True,
}
