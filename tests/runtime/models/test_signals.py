"""What a reply says of where and by what it was made, against the Manifest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.catalogue import Signal
from regions.manifest import ModelEndpoint
from runtime.models.reply import Answer, Usage, read_answer
from runtime.models.signals import Cause, at_end, at_head, of_version
from tests.fixtures.issuer import endpoint

AZURE = endpoint("a", "http://x/v1", signal=Signal.REGION_HEADER, signal_values=("swedencentral", "westeurope"))
ANTHROPIC = endpoint("b", None, signal=Signal.INFERENCE_GEO, signal_values=("eu",))


def header(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"text/plain"), *((b"x-ms-region", value) for value in values)]


@pytest.mark.parametrize(
    "said", [b"Sweden Central", b"swedencentral", b"SwedenCentral", b"sweden-central", b"West Europe"]
)
def test_one_region_has_several_spellings(said: bytes) -> None:
    assert at_head(AZURE, header(said), success=True) is None


@pytest.mark.parametrize(
    ("said", "cause", "seen"),
    [
        ((b"East US 2",), Cause.REGION, "East US 2"),
        ((b"Sweden Central", b"East US 2"), Cause.REGION, "East US 2"),
        ((b"",), Cause.REGION, ""),
        ((b"caf\xe9\x00" + b"x" * 500,), Cause.REGION, "caf??" + "x" * 59),
        ((), Cause.REGION_UNSAID, None),
    ],
)
def test_another_region_or_none_is_found_and_told_in_harmless_text(
    said: tuple[bytes, ...], cause: Cause, seen: str | None
) -> None:
    found = at_head(AZURE, header(*said), success=True)
    assert found is not None
    assert (found.cause, found.seen, found.withholds) == (cause, seen, True)


def test_an_error_need_not_say_a_region_and_is_believed_when_it_does() -> None:
    assert at_head(AZURE, header(), success=False) is None
    assert at_head(AZURE, header(b"East US 2"), success=False) is not None


def test_a_signal_without_a_value_that_would_do_is_never_fulfilled() -> None:
    nowhere = AZURE.model_copy(update={"signal_values": ()})
    assert at_head(nowhere, header(b"Sweden Central"), success=True) is not None


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b'{"usage":{"inference_geo":"eu"}}', None),
        (b'{"usage":{"inference_geo":"EU"}}', None),
        (b'{"usage":{"inference_geo":"us"}}', Cause.REGION),
        (b'{"usage":{"inference_geo":null}}', Cause.REGION_UNSAID),
        (b'{"usage":{"inference_geo":""}}', Cause.REGION_UNSAID),
        (b'{"usage":{"inference_geo":["eu"]}}', Cause.REGION_UNSAID),
        (b'{"usage":null}', Cause.REGION_UNSAID),
        (b"<html>eu</html>", Cause.REGION_UNSAID),
    ],
)
def test_the_geography_of_the_usage_is_compared(content: bytes, cause: Cause | None) -> None:
    found = at_end(ANTHROPIC, read_answer(content, stream=False), whole=True)
    assert (found and found.cause) == cause


def test_a_stream_tells_at_its_end_and_one_that_was_cut_need_not() -> None:
    events = b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: {"choices":[],"usage":{"inference_geo":"us"}}\n\n'
    told = read_answer(events, stream=True)
    cut = read_answer(events[:50], stream=True)
    found = at_end(ANTHROPIC, told, whole=False)
    assert found is not None
    assert found.seen == "us"
    assert at_end(ANTHROPIC, cut, whole=False) is None
    assert at_end(ANTHROPIC, cut, whole=True) is not None


@given(st.sampled_from([AZURE, ANTHROPIC]), st.text())
def test_without_a_declared_signal_nothing_is_expected(signalled: ModelEndpoint, said: str) -> None:
    silent = signalled.model_copy(update={"signal": None, "signal_values": ()})
    assert at_head(silent, header(said.encode()), success=True) is None
    assert at_end(silent, Answer(usage=Usage(inference_geo=said)), whole=True) is None


@pytest.mark.parametrize(
    ("pinned", "seen_first", "model", "moved"),
    [
        (None, None, "gpt-1", False),
        (None, "gpt-1", "gpt-1", False),
        (None, "gpt-1", "gpt-2", True),
        (None, "gpt-1", None, False),
        ("gpt-1", "gpt-2", "gpt-1", False),
        ("gpt-1", "gpt-1", "gpt-2", True),
        ("gpt-1", None, None, True),
    ],
)
def test_a_version_is_the_pinned_one_else_the_one_seen_first(
    pinned: str | None, seen_first: str | None, model: str | None, moved: bool
) -> None:
    found = of_version(AZURE.model_copy(update={"version": pinned}), seen_first, Answer(model=model), whole=True)
    assert (found is not None) is moved
    assert found is None or (found.cause is Cause.VERSION and not found.withholds)
