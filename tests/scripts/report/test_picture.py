"""The picture: every other place that gets data is drawn once, with its word, in both layouts."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from components.naming import REPOSITORY
from components.review import StackReview, review
from regions.catalogue import load_catalogue
from scripts.report.picture import NARROW, WIDE, Layout, draw
from tests.fixtures.reviews import HOSTILE, ON, hostile, reviewed

CATALOGUE = load_catalogue()
SVG = "{http://www.w3.org/2000/svg}"


def drawn(found: StackReview, layout: Layout = WIDE) -> ElementTree.Element:
    return ElementTree.fromstring(draw(found, CATALOGUE, ON, layout))  # noqa: S314  made here


def words(picture: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=lambda layout: layout.name)
def test_each_place_that_gets_data_has_an_arrow_and_a_word(tmp_path: Path, layout: Layout) -> None:
    picture = drawn(reviewed(tmp_path), layout)
    cards = list(picture.iter(f"{SVG}g"))
    assert [group.get("class") for group in cards] == ["outside", "outside", "outside"]
    for group, subject in zip(cards, ("telemetry langfuse", "chat-small/titan", "chat-small/abroad"), strict=True):
        told = " ".join("".join(text.itertext()) for text in group.iter(f"{SVG}text"))
        assert subject in told
        assert "✕ outside" in told
        assert len([path for path in group.iter(f"{SVG}path") if path.get("class") == "way"]) == 1


def test_what_stays_is_told_in_the_stacks_own_box(tmp_path: Path) -> None:
    said = words(drawn(reviewed(tmp_path)))
    assert {"mixed", "Germany (DE)", "aws eu-central-1", "✓ data rests and runs here", "✓ backups"} <= set(said)


def test_a_place_that_stands_differently_by_class_says_for_which(tmp_path: Path) -> None:
    assert "model chat-small/titan outside for health" in words(drawn(reviewed(tmp_path)))


def test_everything_drawn_lies_within_the_drawing(tmp_path: Path) -> None:
    for layout in (WIDE, NARROW):
        picture = drawn(reviewed(tmp_path), layout)
        _, _, width, height = map(float, str(picture.get("viewBox")).split())
        for rect in picture.iter(f"{SVG}rect"):
            x, y, w, h = (float(str(rect.get(name))) for name in ("x", "y", "width", "height"))
            assert x >= 0
            assert y >= 0
            assert x + w <= width
            assert y + h <= height


def test_who_cannot_see_it_is_told_the_same(tmp_path: Path) -> None:
    description = drawn(reviewed(tmp_path)).findtext(f"{SVG}desc") or ""
    assert "telemetry langfuse: logs of public, personal, health data at us.cloud.langfuse.com" in description
    assert "United States (US): outside for personal, health" in description


def test_a_stack_that_sends_nothing_away_says_so() -> None:
    local = review(REPOSITORY / "stacks" / "Pulumi.local.yaml", CATALOGUE, ON)
    for layout in (WIDE, NARROW):
        assert "✓ no declared flow leaves this place" in words(drawn(local, layout))


def test_what_a_stranger_wrote_stays_text(tmp_path: Path) -> None:
    picture = drawn(reviewed(tmp_path, hostile(), '<a "b">'))
    assert not list(picture.iter(f"{SVG}script"))
    assert not list(picture.iter(f"{SVG}img"))
    assert not any(key.startswith("on") for element in picture.iter() for key in element.attrib)
    assert HOSTILE[-4] not in "".join(picture.itertext())
    named = str(picture.get("aria-labelledby")).split()
    assert {f"{SVG}title", f"{SVG}desc"} == {one.tag for one in picture.iter() if one.get("id") in named}


def test_without_a_boundary_there_is_no_picture(tmp_path: Path) -> None:
    assert draw(reviewed(tmp_path, "config: {"), CATALOGUE, ON) == ""
