"""A stack's whole life on the real engine."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scripts.engine import Engine
from scripts.rehearsal.cloud import Cloud, Recorded, Way
from scripts.rehearsal.cycle import Plan, _Cycle, rehearse, shortened
from scripts.rehearsal.stack import Resource, Running, Stack

pytestmark = pytest.mark.timeout(300)  # a cycle is nine runs of the engine: 16 s on two idle cores
PRIMARY = "Instance::primary"
CANARY = "canary-5e1f"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:dev::small::aws:{kind}::{name}"


def running_with(variable: str, value: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(variable) == value:
                yield process


def test_a_sound_stack_survives_a_killed_engine_and_failures_and_leaves_nothing(small: Path, engine: Engine) -> None:
    before = sorted(small.rglob("*"))
    config, change = {"small:protect": "true"}, {"small:size": "db.t4g.large"}
    went = rehearse(Plan(small, "dev", ("aws",), PRIMARY, PRIMARY, config, change, canaries=(CANARY,)), engine)
    assert went.problems == ()
    assert went.resources == 6  # the stack and the provider among them
    assert went.rotated == went.replaced == went.undecided == went.kept == ()
    changes = {step.name: step.changes for step in went.steps}
    assert changes["up, the engine is killed"] == {}
    begun = Counter(changes["up, a creation fails"])  # the bucket needs nobody: it was there by then, or is now
    assert begun["same"] + begun["create"] == 4
    assert changes["up, resumed"] == {"same": 4, "create": 2}
    assert changes["up again"] == {"same": 6}
    assert changes["change"] == {"same": 5, "update": 1}
    assert changes["refresh"] == {"same": 6}
    assert changes["destroy, protected"] == {}
    assert changes["destroy, a deletion fails"] == {"delete": 1}
    assert changes["destroy, resumed"] == {"delete": 5}
    assert [file for file in sorted(small.rglob("*")) if "__pycache__" not in file.parts] == before


def test_an_engine_killed_as_soon_as_may_be_knows_of_all_that_it_made(
    small: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.rehearsal.cycle._QUIET_SECONDS", 0)
    went = rehearse(Plan(small, "dev", ("aws",), "Bucket::bucket", PRIMARY), engine)
    assert (went.problems, went.orphans) == ((), ())


def test_an_engine_is_not_killed_before_it_has_written_what_it_made(tmp_path: Path) -> None:
    """One that is slow: the state has the key at the third look."""
    cloud, looks = Cloud(tmp_path), []
    cloud.put(Recorded("aws:kms/key:Key", "id", urn("kms/key:Key", "key"), {}, {}))
    known = Resource(urn("kms/key:Key", "key"), "aws:kms/key:Key", "id", protect=False, kept=False, goes_with="")

    class Slow(Stack):
        def __init__(self) -> None: ...

        def resources(self) -> tuple[Resource, ...]:
            looks.append(cloud.busy())
            return (known,) if len(looks) == 3 else ()

    with subprocess.Popen(["sleep", "60"]) as process:
        running = Running(process, tmp_path / "events", tmp_path / "output", time.monotonic())
        _Cycle(Plan(tmp_path, "dev", (), PRIMARY, PRIMARY), cloud, Slow())._settle(running)
        process.kill()
    assert looks == [False] * 3
    with cloud.making() as may:
        assert not may


def test_what_a_stack_does_wrong_is_told(small: Path, engine: Engine) -> None:
    primary = urn("rds/instance:Instance", "primary")
    config, change = {"small:retain": "true", "small:restless": "yes"}, {"small:engine": "mysql"}
    plan = Plan(small, "dev", ("aws",), PRIMARY, PRIMARY, config, change, kill=Way.LOSE, canaries=("fabric",))
    went = rehearse(plan, engine)
    problems = "\n".join(went.problems)
    lost, replaced = (problem for problem in went.problems if f"in no state ({primary})" in problem)
    assert lost.startswith("up: primary-")
    assert replaced.startswith("change: primary-")
    assert "up again: nothing should change, and the engine says 1 update" in problems
    assert f"change: {primary} holds data and is replaced" in problems
    assert "a secret of the program is in clear in cloud.json" in problems
    assert "destroy" not in problems
    assert primary in went.replaced
    assert urn("kms/key:Key", "key") in went.kept


@pytest.mark.parametrize(("client", "left"), [("told", []), ("forgotten", [urn("s3/bucket:Bucket", "client")])])
def test_who_still_has_a_key_that_was_rotated_is_told(
    small: Path, engine: Engine, client: str, left: list[str]
) -> None:
    plan = Plan(small, "dev", ("aws",), PRIMARY, PRIMARY, {"small:client": client}, environment={"WHOSE": client})
    went = rehearse(plan, engine)
    assert not any(running_with("WHOSE", client)), "plugins outlive an engine that is killed"
    assert went.rotated == ("operator",)
    assert list(went.problems) == [
        f"change: the key operator was rotated, and {each} still has the one before" for each in left
    ]


def test_a_resource_that_no_program_makes_cannot_break(small: Path, engine: Engine) -> None:
    went = rehearse(Plan(small, "dev", ("aws",), "Instance::nobody", PRIMARY), engine)
    assert went.problems == ("up: nothing was created whose URN has 'Instance::nobody' in it",)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("reference", "kmsKeyId: arn:aws:kms:eu-central-1:123456789012:key/none is neither recorded"),
        ("region", "availabilityZone: 'us-east-1a' is outside the provider's region 'eu-central-1'"),
        ("enum", "storageType: 'gp4' is none of 'standard', 'gp2'"),
    ],
)
def test_the_engine_refuses_a_planted_mistake(small: Path, engine: Engine, mistake: str, said: str) -> None:
    went = rehearse(Plan(small, "dev", ("aws",), "Instance::mistaken", PRIMARY, {"small:mistake": mistake}), engine)
    (problem,) = went.problems
    assert said in problem


def test_of_a_long_failure_the_first_lines_stay_and_the_last_which_says_why() -> None:
    said = shortened("\n".join(["up: Program failed", *map(str, range(30)), "ValueError: the cause"])).splitlines()
    assert said[0] == "up: Program failed"
    assert "… 12 lines left out …" in said
    assert said[-1] == "ValueError: the cause"
    assert shortened("up: the cause\nalone") == "up: the cause\nalone"
