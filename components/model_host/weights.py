"""Which model file a spec asks for. Nothing is fetched here: ``loomstead up`` does, before the engine runs."""

from pathlib import Path

from components.infrastructure import Refused
from components.naming import weights_file
from components.spec import FabricSpec, Hosted
from regions.catalogue import Catalogue


class WeightsMissing(Refused):
    """The model file is not on this machine; the message has the ways to one."""


def weights_of(spec: FabricSpec, catalogue: Catalogue) -> Path | None:
    """The file that the fabric serves, None where it hosts no model; raises ``WeightsMissing``."""
    hosted = spec.hosted.hosted if spec.hosted else None
    if hosted is None:
        return None
    path = _file(hosted, catalogue)
    if path.is_file():
        return path
    raise WeightsMissing(
        f"loomstead:fabric.models: {path} is not there. "
        + ("`loomstead up` fetches it and checks its hash. " if hosted.weights else "")
        + "An own file is given by `hosted: {gguf: /path/to/file.gguf}`, a server by `endpoint: {url: …}` instead."
    )


def _file(hosted: Hosted, catalogue: Catalogue) -> Path:
    return (
        weights_file(catalogue.weights[hosted.weights].sha256) if hosted.weights else Path(str(hosted.gguf)).absolute()
    )
