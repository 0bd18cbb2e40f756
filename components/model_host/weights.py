"""Which model file a spec asks for. Nothing is fetched here: ``loomstead up`` does, before the engine runs."""

from pathlib import Path

from components.naming import weights_file
from components.spec import Model
from regions.catalogue import Catalogue


class WeightsMissing(Exception):
    """The model file is not on this machine; the message has the ways to one."""


def weights_of(model: Model, catalogue: Catalogue) -> Path | None:
    """The file that the fabric serves, None where the model is an endpoint; raises ``WeightsMissing``."""
    if not model.hosted:
        return None
    path = weights_file(catalogue.weights[model.weights].sha256) if model.weights else Path(str(model.gguf)).absolute()
    if path.is_file():
        return path
    raise WeightsMissing(
        f"loomstead:fabric.model: {path} is not there. "
        + ("`loomstead up` fetches it and checks its hash. " if model.weights else "")
        + "An own file is given by `model: {gguf: /path/to/file.gguf}`, a server by `model: {endpoint: {url: …}}`."
    )
