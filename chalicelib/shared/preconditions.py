"""What a request demands of a resource's version: `If-Match` and `If-None-Match` (RFC 9110, 13.1).

An entity tag of this API is a version number in double quotes, e.g. `"3"`. Any other well-formed
tag is one that the resource never had: `"01"` is not `"1"`.
"""

import re
from dataclasses import dataclass
from typing import Final

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
        """Return whether a resource of `version` may be changed.

        `If-Match` compares strongly, so that a weak tag never matches; `If-None-Match` weakly.
        """
        tag = str(version)
        if self.if_match is not None and not (self.if_match.any or tag in self.if_match.strong):
            return False
        return not self.unchanged(version)

    def unchanged(self, version: int) -> bool:
        """Return whether the caller has a resource of `version` already, by `If-None-Match`."""
        tags = self.if_none_match
        return tags is not None and (tags.any or str(version) in tags.strong | tags.weak)


NO_PRECONDITION: Final = Precondition()
