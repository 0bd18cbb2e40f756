"""Which of a stack's models Vertex AI answers, and where they are called. Plain data; no Pulumi.

The network reaches a region's host, and neither the jurisdictions' (``eu``, ``us``), which are in no bundle of private
APIs, nor the global one, which commits to no country.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from components.infrastructure import Refused
from components.spec import FabricSpec, Managed
from regions.catalogue import Catalogue

PROVIDER = "vertex"
PUBLISHERS = {
    "Anthropic": "anthropic",
    "DeepSeek": "deepseek-ai",
    "Google": "google",
    "Meta": "meta",
    "Mistral AI": "mistralai",
    "OpenAI": "openai",
}
"""By vendor as the catalogue has it: the publisher's id in Model Garden."""


class GcpModelsError(Refused):
    """The models asked for cannot be had; nothing was created. The message says what, and what to do."""


@dataclass(frozen=True)
class Hosting:
    """``endpoints``: base URL by candidate. ``invocable``: the models, as ``vertexai.allowedModels`` names them."""

    endpoints: Mapping[str, str]
    invocable: tuple[str, ...]


def hosting(spec: FabricSpec, catalogue: Catalogue) -> Hosting | None:
    """What is called of Vertex AI; ``None`` where no candidate is. Raises ``GcpModelsError`` with all that is wrong."""
    wanted = list(_wanted(spec))
    if not wanted:
        return None
    faults: list[str] = []
    endpoints = {
        name: _endpoint(f"models.{key}.managed", managed, spec, catalogue, faults) for key, name, managed in wanted
    }
    if faults:
        raise GcpModelsError("\n".join(faults))
    return Hosting(endpoints, invocable(catalogue, {managed.model for _, _, managed in wanted}))


def host(region: str, universe: str) -> str:
    """Where a region's models are called."""
    return f"{region}-aiplatform.{universe}"


def invocable(catalogue: Catalogue, models: Collection[str]) -> tuple[str, ...]:
    """Ids of these models, each once; one is all versions of a model. Raises ``GcpModelsError``."""
    found = {name: catalogue.models[PROVIDER][name].vendor for name in models}
    if unknown := sorted({vendor for vendor in found.values() if vendor not in PUBLISHERS}):
        raise GcpModelsError(f"models: of {', '.join(unknown)}: their publisher's id is unknown here: leave them out")
    names = {
        f"publishers/{PUBLISHERS[vendor]}/models/{name.partition('@')[0]}:predict" for name, vendor in found.items()
    }
    return tuple(sorted(names))


def _wanted(spec: FabricSpec) -> Iterator[tuple[str, str, Managed]]:
    """Key in the stack file, name, and what is asked for."""
    for (_, model_class, _, name), found in spec.candidates():
        if found.managed and found.managed.provider == PROVIDER:
            yield f"{model_class}.candidates.{name}", f"{model_class}/{name}", found.managed


def _endpoint(key: str, managed: Managed, spec: FabricSpec, catalogue: Catalogue, faults: list[str]) -> str:
    universe = catalogue.regions[spec.region].partition
    called = catalogue.regions.get(managed.region)
    if called is None or called.partition != universe:
        faults.append(
            f"{key}.region: {managed.region} is no region of {universe}, and the network reaches the hosts of regions "
            f"alone: take one that has the model, such as {spec.region}"
        )
        return ""
    if managed.credential:
        faults.append(f"{key}.credential: the runtime's own account calls Vertex AI, and has no key: leave it out")
    return f"https://{host(managed.region, universe)}"
