"""docs/vectors.md names every file of vectors, and the picture of docs/verify.md is there."""

from docs.test_documents import document
from parts import REPOSITORY
from tanzheng.core.points import LABELS
from tanzheng.verifier.page import assemble
from vectors import make


def test_every_file_of_vectors_is_told() -> None:
    told = document("vectors")
    assert [name for name in make.files() if f"`{name}`" not in told] == []


def test_the_page_explains_every_point() -> None:
    """A point without words of its own would end the page's answer."""
    page = (REPOSITORY / "verifier/src/tanzheng/verifier/page/js/texts.js").read_text()
    proves = page.partition("PROVES = {")[2]
    assert [key for key in LABELS if f"\n  {key}: [" not in proves] == []
    assert all(zh in assemble().decode() for _, zh in LABELS.values())
