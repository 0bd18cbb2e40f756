"""What AWS's fabric is refused for, from the stack file alone."""

import json
from typing import Any

import pytest
import yaml

from components.fabrics.aws_plan import planned
from components.infrastructure import Refused
from components.naming import REPOSITORY
from components.publish import Ground
from components.review import country_of
from components.spec import CONFIG_KEY, FabricSpec
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue

STACK = "aws-us-east-1"
DIGEST = f"sha256:{'0' * 64}"


def said() -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{STACK}.yaml").read_text())["config"][CONFIG_KEY]


def ground(**changed: Any) -> Ground:
    """What the shipped file says, with sections changed."""
    spec, catalogue = FabricSpec.model_validate_json(json.dumps(said() | changed, default=str)), load_catalogue()
    country = country_of(spec, catalogue) or ""
    return Ground(STACK, spec, compile_boundary(spec.residency, catalogue, host=country), catalogue)


def gateway(**changed: Any) -> dict[str, Any]:
    return said()["gateway"] | changed


@pytest.mark.parametrize(
    "host",
    [
        "registry.corp.example",
        "ghcr.io",
        "111122223333.dkr.ecr.eu-central-1.amazonaws.com",
        "111122223333.dkr.ecr.us-east-1.amazonaws.eu",
        "111122223333.dkr.ecr.us-east-1.amazonaws.com.corp.example",
        "team.dkr.ecr.us-east-1.amazonaws.com",
    ],
)
def test_an_image_that_no_node_could_fetch_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="is no registry that nodes in us-east-1 reach; copy the image"):
        planned(ground(gateway=gateway(image=f"{host}/loomstead@{DIGEST}")))


def test_another_accounts_registry_in_the_region_is_one() -> None:
    image = f"999988887777.dkr.ecr.us-east-1.amazonaws.com/platform/loomstead@{DIGEST}"

    assert planned(ground(gateway=gateway(image=image))).registry.endswith("amazonaws.com/platform")
