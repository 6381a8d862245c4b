"""Which tests stay together on one worker of `make test`."""

from tests.conftest import OWN_STACK, unit_of


def test_the_tests_that_share_a_stack_are_one_unit() -> None:
    assert unit_of("tests/e2e/test_drill.py::test_x") == "e2e"
    assert unit_of("tests/e2e/test_stack.py::test_x[a::b]") == "e2e"


def test_every_other_file_is_a_unit_of_its_own() -> None:
    assert unit_of("tests/unit/test_x.py::test_y[1]") == "tests/unit/test_x.py"
    for file in OWN_STACK:
        assert unit_of(f"{file}::test_x") == file
