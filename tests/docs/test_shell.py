from tests.docs.shell import SOME_ID, commands, functions


def test_commands_are_found_behind_assignments_pipes_and_substitutions() -> None:
    text = """
API=$(.venv/bin/python -m infra.local urls --json | python3 -c 'print("a; b")')  # a comment
A=1 make x && B="c d" make y >out.txt; TOKEN=$(make -s token ROLE=admin)
curl "$API/x?a=1&b=2" \\
  -d '{"id": "1; 2"}' -H "X: $(make z)"
kill $(pgrep -f 'serve crm-api')
"""
    assert [words[:3] for words in commands(text)] == [
        [".venv/bin/python", "-m", "infra.local"],
        ["python3", "-c", 'print("a; b")'],
        ["make", "x"],
        ["make", "y"],
        ["make", "-s", "token"],
        ["make", "z"],
        ["curl", "$API/x?a=1&b=2", "-d"],
        ["kill"],
        ["pgrep", "-f", "serve crm-api"],
    ]


def test_a_placeholder_becomes_an_id() -> None:
    assert list(commands("make token TENANT=<uuid>")) == [["make", "token", f"TENANT={SOME_ID}"]]


def test_a_function_is_a_definition_and_its_body_is_commands() -> None:
    text = 'call() { curl -s "$@"; }\ncall x'
    assert functions(text) == {"call"}
    assert [words[0] for words in commands(text)] == ["call", "curl", "call"]
