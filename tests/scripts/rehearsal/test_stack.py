"""What happens in a cloud by other hands, and what the engine makes of it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from scripts.engine import Engine
from scripts.rehearsal.cloud import Cloud, Control, Fault, Op, Way
from scripts.rehearsal.provider import serving
from scripts.rehearsal.stack import Stack

BUCKET = "Bucket::bucket"


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


@pytest.fixture
def stack(cloud: Cloud, small: Path, engine: Engine) -> Generator[Stack]:
    with serving(cloud) as port:
        yield Stack(small, "dev", engine, cloud.folder / "stack", ("aws",), port)


def test_a_creation_half_done_is_kept_drift_is_seen_and_what_vanished_is_forgotten(cloud: Cloud, stack: Stack) -> None:
    cloud.tell(Control(faults=(Fault(op=Op.CREATE, urn=BUCKET, way=Way.PARTIAL, message="only half of it"),)))
    stack.configure({})
    half = stack.run("up")
    assert not half.ok
    assert "only half of it" in half.said
    (made,) = (resource.id for resource in cloud.resources() if BUCKET in resource.urn)
    assert made in {resource.id for resource in stack.resources()}

    again = stack.run("up")
    assert again.ok, again.said
    assert [resource.id for resource in cloud.resources() if BUCKET in resource.urn] == [made]

    cloud.tell(Control(drift={BUCKET: {"tags": {"at": "another's"}}}, gone=("Instance::replica",)))
    seen = stack.run("refresh")
    assert seen.changes["update"] == 1
    assert seen.changes["delete"] == 1
    assert not any(resource.urn.endswith("::replica") for resource in stack.resources())
    assert "canary-5e1f" not in stack.state()
