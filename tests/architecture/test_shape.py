"""Rules about app.py, cold starts and the environment that no linter checks."""

import ast
import subprocess
import sys

from infra.paths import ROOT

APP = ast.parse((ROOT / "app.py").read_text())
HEAVY = (
    "boto3",
    "botocore",
    "kafka",
    "sqlalchemy",
    "pg8000",
    "jinja2",
    "alembic",
    "jwt",
    "cryptography",
)


def test_app_is_a_contents_page() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= 150
    for function in (node for node in ast.walk(APP) if isinstance(node, ast.FunctionDef)):
        body = [
            part
            for part in function.body
            if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        ]
        assert len(body) == 1, f"{function.name}: one call per body"
        assert isinstance(body[0], ast.Return | ast.Expr), f"{function.name}: no logic"
        assert isinstance(body[0].value, ast.Call), f"{function.name}: a call"
    logic = (ast.If, ast.For, ast.While, ast.Try, ast.With, ast.Lambda, ast.ListComp)
    assert not [node for node in ast.walk(APP) if isinstance(node, logic)]


def test_every_scheduled_function_stands_in_app() -> None:
    """If it were declared in a blueprint, Lambda would load that module and never app.py."""
    for source in (ROOT / "chalicelib" / "entrypoints").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            for decorator in getattr(node, "decorator_list", []):
                name = getattr(getattr(decorator, "func", decorator), "attr", "")
                assert name in ("", "route", "property"), f"{source.name}: {name}"


def test_a_cold_start_loads_nothing_heavy() -> None:
    code = f"import app, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


def test_only_config_reads_the_environment() -> None:
    for source in [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]:
        if source != ROOT / "chalicelib" / "config" / "reader.py":
            assert "os.environ" not in source.read_text(), source
            assert "getenv" not in source.read_text(), source
