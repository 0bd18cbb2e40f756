"""The Pulumi program: read the stack file, compile its Boundary, and only then build the fabric it asks for."""

import pulumi

from components.fabric import Fabric
from components.model_host.weights import WeightsMissing, weights_of
from components.naming import stack_file, stack_home
from components.parity import NotSupported
from components.publish import Ground
from components.spec import FabricSpec, ResidencyRefused, SpecError, load_spec, parse_spec
from regions.boundary import ResidencyError
from regions.catalogue import CatalogueError, load_catalogue

REFUSALS = (SpecError, ResidencyRefused, ResidencyError, CatalogueError, NotSupported, WeightsMissing)


def main() -> None:
    """Register the whole stack, or nothing of it: what is refused is refused before the first resource."""
    stack = pulumi.get_stack()
    try:
        spec = read_spec(stack)
        catalogue = load_catalogue()
        ground = Ground(stack, spec, spec.boundary(catalogue), catalogue)
        weights = weights_of(spec, catalogue)
    except REFUSALS as refused:
        raise pulumi.RunError(str(refused)) from refused
    home = stack_home(stack)
    fabric = Fabric("fabric", ground, home, weights)
    pulumi.export("gateway", fabric.gateway)
    pulumi.export("temporal_ui", fabric.temporal_ui)
    pulumi.export("manifest", fabric.manifest)
    pulumi.export("home", str(home))


def read_spec(stack: str) -> FabricSpec:
    """What Pulumi read from the stack file, which is another one under ``--config-file``."""
    path = stack_file(stack)
    found = pulumi.Config("loomstead").get_object("fabric")
    if found is None or not path.exists():
        return load_spec(path)
    return parse_spec(found, path)


main()
