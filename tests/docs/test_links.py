"""Every link of a document leads to a file that exists, and every anchor to a heading."""

import re

import pytest

from infra.paths import ROOT
from tests.docs.markdown import Document, documents

DOCUMENTS = list(documents())
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?\.?[\w-]+\.(?:py|json|ya?ml|sql|toml|md)")
DECISIONS = ROOT / "docs" / "decisions"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_relative_link_and_anchor_leads_somewhere(document: Document) -> None:
    broken = []
    for link in document.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.path.parent / path).resolve() if path else document.path
        exists = target.is_relative_to(ROOT) and target.exists()
        if not exists or (anchor and anchor not in Document(target).anchors):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_file_that_a_document_names_exists(document: Document) -> None:
    folders = (ROOT, ROOT / "chalicelib", document.path.parent)
    missing = [
        text
        for text in document.inline_code
        if "/" in text and FILE.fullmatch(text) and not any((f / text).exists() for f in folders)
    ]
    assert not [text for text in missing if not text.startswith("build/")]


def test_the_documents_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md"} <= {d.name for d in DOCUMENTS}
    assert sum(len(document.links) for document in DOCUMENTS) > 50


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (document.path.parent / link.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for link in document.links
    }
    pages = [document for document in DOCUMENTS if document.name != "README.md"]
    orphans = [page.name for page in pages if not {page.path, page.path.parent} & linked]
    assert not orphans


def test_each_decision_has_its_file_s_number_and_stands_in_the_index() -> None:
    index = (DECISIONS / "README.md").read_text()
    records = sorted(DECISIONS.glob("0*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        heading = record.read_text().splitlines()[0]
        assert heading.startswith(f"# {int(record.name[:4])}. "), record.name
        assert f"- [{heading.removeprefix('# ')}]({record.name})" in index, record.name
