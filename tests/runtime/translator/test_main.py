"""The process says in a line why it may not start, and ends with 78, which the supervisor does not restart."""

import pytest

from regions.manifest import Manifest
from runtime.settings import START_REFUSED
from tests.runtime.translator.conftest import Place, published

URL = "http://127.0.0.1:9"


@pytest.fixture
def manifest() -> Manifest:
    return published(URL)


def refused(place: Place, *argv: str, **environment: str) -> str:
    assert place.start(*argv, **environment).wait(60) == START_REFUSED, place.log
    return place.log


def test_without_litellm_it_says_how_to_have_it(place: Place, manifest: Manifest) -> None:
    place.publish(manifest)
    without = "import sys; sys.modules['litellm'] = None; import runtime.translator.__main__ as it; sys.exit(it.main())"

    assert "scripts/bootstrap.sh --extra translator" in refused(place, "-c", without)


def test_every_credential_that_is_missing_is_named_with_its_path(place: Place, manifest: Manifest) -> None:
    place.publish(manifest)
    place.keep("provider-key", "secret")

    said = refused(place)
    assert f"chat-small/vertex-moved: {place.folder}/credentials/upstream.google.key: No such file" in said
    assert "secret" not in said


def test_a_manifest_that_somebody_changed_is_not_followed(place: Place, manifest: Manifest) -> None:
    place.publish(manifest)
    path = place.folder / "manifest.json"
    path.write_text(path.read_text().replace("europe-west1", "us-central1"))

    assert "manifest.json" in refused(place)


def test_it_is_told_where_to_listen(place: Place, manifest: Manifest) -> None:
    place.publish(manifest)

    assert "LOOMSTEAD_TRANSLATOR is not set" in refused(place, LOOMSTEAD_TRANSLATOR="")
