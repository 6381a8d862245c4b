"""The bill of materials of the bundle, in CycloneDX: what it contains, and in which version.

It names the packages of `requirements.txt` with their hashes and licences. The same lock file
gives the same document: it has no time and no random serial number.
"""

import json
import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from infra.aws.vendor import LAMBDA_HAS
from infra.dependencies import RUNTIME, read_lock
from infra.licences import installed, licence
from infra.paths import ROOT

PRODUCT = "aetherlink-command-center"
SCHEMA = SchemaVersion.V1_6
LOCKED_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def document(version: str) -> str:
    """Return the bill of materials of the product's `version`, as CycloneDX 1.6 JSON."""
    lock = (ROOT / RUNTIME).read_text()
    requirements, _ = read_lock(lock)
    hashes = _hashes(lock)
    product = Component(
        name=PRODUCT, version=version, type=ComponentType.APPLICATION, bom_ref=PRODUCT
    )
    components = [
        _component(requirement.name, requirement.version, hashes[requirement.name])
        for requirement in requirements
        if requirement.name not in LAMBDA_HAS
    ]
    bom = Bom(
        components=components,
        metadata=BomMetaData(component=product),
        serial_number=uuid5(NAMESPACE_URL, f"{PRODUCT} {version} {lock}"),
    )
    bom.register_dependency(product, components)
    text = make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string()
    return json.dumps(_without_time(json.loads(text)), indent=2) + "\n"


def _component(name: str, version: str, hashes: list[str]) -> Component:
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}=={version}",
        purl=PackageURL("pypi", None, name, version),
        licenses=[LicenseFactory().make_from_string(licence(name, installed(name)))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in hashes],
    )


def _hashes(lock: str) -> dict[str, list[str]]:
    """Return the hashes of each package's files, as the lock file states them."""
    hashes: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            name = line.partition("==")[0].strip()
        hashes.setdefault(name, []).extend(LOCKED_HASH.findall(line))
    return hashes


def _without_time(bom: dict[str, Any]) -> dict[str, Any]:
    bom["metadata"].pop("timestamp", None)
    return bom
