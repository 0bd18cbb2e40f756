"""What a rehearsal makes of a shipped stack's file."""

import json
from pathlib import Path

import pytest
import yaml

from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import CONFIG_KEY, FabricSpec, Platform
from scripts.engine import Engine
from scripts.rehearsal.cycle import Kubernetes, rehearse
from scripts.rehearsal.shipped import grown, needs_kubernetes, plan_of, shipped

NOWHERE = Kubernetes(Path("programs"), Path("definitions"))
FOUNDATION = "azure-switzerlandnorth"


def fabric_of(stack: str) -> dict[str, object]:
    file = REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml"
    return yaml.safe_load(file.read_text())["config"][CONFIG_KEY]


def spec_of(stack: str) -> FabricSpec:
    return load_spec(REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml")


def test_every_stack_but_the_local_one_is_rehearsed() -> None:
    files = {file.stem.removeprefix("Pulumi.") for file in (REPOSITORY / "stacks").glob("Pulumi.*.yaml")}
    assert set(shipped()) == files - {"local"}


@pytest.mark.parametrize("stack", shipped())
def test_a_stack_grows_to_another_one_that_is_right(stack: str, tmp_path: Path) -> None:
    before, after = fabric_of(stack), grown(fabric_of(stack))
    file = tmp_path / f"Pulumi.{stack}.yaml"
    file.write_text(yaml.safe_dump({"config": {CONFIG_KEY: after}}))
    assert after["size"] != before.get("size", "small")
    assert load_spec(file).digest != spec_of(stack).digest


def test_what_a_stack_counts_is_one_more() -> None:
    fabric = {"size": "large", "gateway": {"replicas": 3}, "cluster": {"gpu": {"nodes": 2}}}
    assert grown(fabric) == {"size": "medium", "gateway": {"replicas": 4}, "cluster": {"gpu": {"nodes": 3}}}
    assert fabric["size"] == "large"


def test_a_declared_cluster_has_a_kubeconfig_whose_token_is_a_canary() -> None:
    (stack,) = (name for name in shipped() if needs_kubernetes(name))
    with plan_of(stack, NOWHERE) as plan:
        config = json.loads(Path(plan.environment["KUBECONFIG"]).read_text())
        assert config["clusters"][0]["cluster"]["server"] == spec_of(stack).cluster.server
        assert "canary" in config["users"][0]["user"]["token"]
        assert plan.cluster is not None
        assert plan.cluster.programs is NOWHERE.programs
        storage, holder = plan.cluster.standing
        assert storage["metadata"]["name"] == spec_of(stack).cluster.storage_class
        assert holder["metadata"]["name"] == "cert-manager"
    assert not Path(plan.environment["KUBECONFIG"]).exists()


def test_only_a_stack_of_aws_finds_kms() -> None:
    for stack in shipped():
        with plan_of(stack, None) as plan:
            assert plan.signing is (spec_of(stack).platform is Platform.AWS)


@pytest.mark.timeout(400)  # a cycle of a real stack: 40 s on two idle cores
def test_a_shipped_stack_goes_as_it_should(engine: Engine) -> None:
    with plan_of(FOUNDATION, None) as plan:
        went = rehearse(plan, engine)
    assert went.problems == ()
    assert went.orphans == ()
    assert went.resources > 50


def test_an_authority_that_is_not_known_here_is_brought_as_whoever_deploys_would() -> None:
    brought = {}
    for stack in (name for name in shipped() if name.startswith("aws-")):
        with plan_of(stack, NOWHERE) as plan:
            file = plan.config[CONFIG_KEY]["postgres"].get("authority")
            assert plan.change[CONFIG_KEY]["postgres"].get("authority") == file
            brought[stack] = bool(file) and Path(file).read_text().startswith("-----BEGIN CERTIFICATE-----")

    assert {stack for stack, there in brought.items() if there} == {"aws-eusc-de-east-1"}
