"""The header `Content-Type`, as RFC 9110 (8.3.1) has it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
MEDIA_TYPE: Final = re.compile(rf"[ \t]*({NAME}/{NAME})[ \t]*")
PARAMETER: Final = re.compile(
    rf';[ \t]*(?:({NAME})=(?:({NAME})|"((?:[^"\\]|\\.)*)")[ \t]*)?'  # an empty one is allowed
)
ESCAPED: Final = re.compile(r"\\(.)")
MAX_LENGTH: Final = 1_000


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type and its parameters; all names are in lower case.

    Attributes:
        name: the type and the subtype, such as `application/json`.
        parameters: the value of each parameter, without quotes.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def charset(self) -> str:
        """Return the charset in lower case; UTF-8 where none is stated."""
        return self.parameters.get("charset", "utf-8").lower()


def parse(header: str) -> MediaType:
    """Return the media type that the header states.

    Raises:
        ValueError: it is malformed, or states a parameter twice.
    """
    name = MEDIA_TYPE.match(header) if len(header) <= MAX_LENGTH else None
    if name is None:
        raise ValueError("not a media type")
    parameters: dict[str, str] = {}
    position = name.end()
    while position < len(header):
        parameter = PARAMETER.match(header, position)
        if parameter is None:
            raise ValueError("a malformed parameter")
        if parameter[1]:
            key = parameter[1].lower()
            if key in parameters:
                raise ValueError("a parameter that is stated twice")
            quoted = parameter[3]
            parameters[key] = parameter[2] if quoted is None else ESCAPED.sub(r"\1", quoted)
        position = parameter.end()
    return MediaType(name[1].lower(), parameters)
