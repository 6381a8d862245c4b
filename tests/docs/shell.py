"""Takes the commands out of shell text, without running it."""

import re
import shlex
from collections.abc import Iterator

SEPARATORS = {"(", ")", "((", "))", ";", ";;", "|", "||", "&", "&&", "{", "}", "()", ");", "$"}
REDIRECTIONS = {"<", ">", ">>", "<<", ">&", "<&", "&>"}
KEYWORDS = {"if", "then", "else", "fi", "for", "do", "done", "while", "!"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
PLACEHOLDER = re.compile(r"<[a-z-]+>")
FUNCTION = re.compile(r"^\s*(\w+)\(\)", re.MULTILINE)
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
SOME_ID = "00000000-0000-0000-0000-000000000000"


def commands(text: str) -> Iterator[list[str]]:
    """Yield every command of `text` as its words, without assignments in front of it.

    Placeholders such as `<id>` become an id, so that the words can be parsed.
    """
    joined = PLACEHOLDER.sub(SOME_ID, text.replace("\\\n", " "))
    for line in joined.splitlines():
        yield from _commands_of_line(line)


def functions(text: str) -> set[str]:
    """Return the names of the shell functions that `text` defines."""
    return set(FUNCTION.findall(text))


def _commands_of_line(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in SEPARATORS and not _ends_in_substitution(word):
            words.append(word)
            for inner in SUBSTITUTION.findall(word):  # within quotes the lexer keeps it whole
                yield from _commands_of_line(inner)
            continue
        command = _without_assignments(words)
        if command:
            yield command
        words = []


def _ends_in_substitution(word: str) -> bool:
    """Return whether `$(` follows: the lexer takes the `$` for the end of the word before it."""
    return word.endswith("=$") or word == "$"


def _without_assignments(words: list[str]) -> list[str]:
    words = list(words)
    while words and (ASSIGNMENT.match(words[0]) or words[0] in KEYWORDS):
        words.pop(0)
    for position, word in enumerate(words):
        if word in REDIRECTIONS:
            return words[:position]
    return words
