"""What a request demands of a resource's version: `If-Match` and `If-None-Match` (RFC 9110, 13.1).

An entity tag of this API is a version number in double quotes, e.g. `"3"`. Any other well-formed
tag is one that the resource never had: `"01"` is not `"1"`.
"""

import re
from dataclasses import dataclass
from typing import Final

from chalicelib.shared.errors import PreconditionFailed

ANY: Final = "*"
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\U0010ffff]*)"')
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t]*)+|[ \t]*$")


@dataclass(frozen=True, slots=True)
class EntityTags:
    """A list of entity tags, or `*`.

    Attributes:
        any: the header was `*`.
        strong: the tags without the prefix `W/`, without their quotes.
        weak: those with it.
    """

    any: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, header: str) -> "EntityTags":
        """Return the tags that `header` lists.

        Raises:
            ValueError: it is neither `*` nor a list of entity tags.
        """
        text = header.strip(" \t,")
        if text == ANY:
            return cls(any=True)
        strong: set[str] = set()
        weak: set[str] = set()
        position = 0
        while position < len(text):
            tag = _TAG.match(text, position)
            separator = _SEPARATOR.match(text, tag.end()) if tag else None
            if tag is None or separator is None:
                raise ValueError("not a list of entity tags")
            (weak if tag[1] else strong).add(tag[2])
            position = separator.end()
        if not strong and not weak:
            raise ValueError("an empty list of entity tags")
        return cls(strong=frozenset(strong), weak=frozenset(weak))


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must hold of a resource's present version. Without headers, any version will do."""

    if_match: EntityTags | None = None
    if_none_match: EntityTags | None = None

    def allows(self, version: int) -> bool:
        """Return whether a resource of `version` may be changed."""
        return self.matches(str(version)) and not self.unchanged(version)

    def matches(self, tag: str | None) -> bool:
        """Return whether `If-Match` holds of the entity tag `tag`, None where there is none.

        The comparison is strong: a weak tag never matches.
        """
        tags = self.if_match
        return tags is None or tags.any or tag in tags.strong

    def unchanged(self, version: int) -> bool:
        """Return whether the caller has a resource of `version` already, by `If-None-Match`."""
        return self.has(str(version))

    def has(self, tag: str | None) -> bool:
        """Return whether `If-None-Match` names the entity tag `tag`; compares weakly."""
        tags = self.if_none_match
        return tags is not None and (tags.any or tag in tags.strong | tags.weak)


def stale_version(version: int) -> PreconditionFailed:
    """Return the problem of a change whose precondition does not hold of `version`."""
    return PreconditionFailed(
        f"The current version is {version}, and If-Match or If-None-Match excludes it."
        " Read it again and repeat the change.",
        headers={"ETag": f'"{version}"'},
    )


NO_PRECONDITION: Final = Precondition()
