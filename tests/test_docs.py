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
