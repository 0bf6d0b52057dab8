"""What the documentation names is there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page):
    text = (ROOT / "docs" / page).read_text()
    named = set(re.findall(r"`((?:lgcnet_tf|benchmarks|tests)/[\w/.]+\.\w+)`", text))
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES)
def test_names_stand_in_their_files(page):
    """`lgcnet_tf/a/b.py` (`Name`): the file defines the name."""
    text = (ROOT / "docs" / page).read_text()
    for file, name in re.findall(r"`(lgcnet_tf/[\w/]+\.py)` \(`(\w+)`\)", text):
        source = (ROOT / file).read_text()
        assert re.search(rf"^(class|def) {name}\b|^{name}\b", source, re.M), (
            file,
            name,
        )


def test_every_room_is_described():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {p.parent.name for p in (ROOT / "lgcnet_tf").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `(\w+)` \|", text, re.M))


def slug(heading):
    """The anchor of a heading, as it is made of it on the pages."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize(
    "page", ["README.md", "benchmarks/README.md", *(f"docs/{page}" for page in PAGES)]
)
def test_links_into_pages_lead_to_a_heading(page):
    path = ROOT / page
    for file, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", path.read_text()):
        target = (path.parent / file).resolve() if file else path
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
        assert anchor in map(slug, headings), f"{file}#{anchor}"
