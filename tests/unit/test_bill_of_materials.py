"""The bill of materials names what is deployed, as CycloneDX 1.6."""

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.aws import sbom
from infra.aws.vendor import LAMBDA_HAS
from infra.dependencies import RUNTIME, read_lock
from infra.paths import ROOT


def test_it_is_valid_cyclonedx() -> None:
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom.document("1.2.3"))
    assert problem is None


def test_it_names_every_deployed_package_with_version_hash_and_licence() -> None:
    requirements, _ = read_lock((ROOT / RUNTIME).read_text())
    deployed = {r.name: r.version for r in requirements if r.name not in LAMBDA_HAS}
    components = json.loads(sbom.document("1.2.3"))["components"]
    assert {c["name"]: c["version"] for c in components} == deployed
    for component in components:
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        assert component["hashes"], component["name"]
        assert component["licenses"], component["name"]


def test_the_same_lock_file_gives_the_same_document() -> None:
    assert sbom.document("1.2.3") == sbom.document("1.2.3")
    assert sbom.document("1.2.3") != sbom.document("1.2.4")
