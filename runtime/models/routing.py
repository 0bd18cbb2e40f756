"""Model class → endpoint, inside the Boundary.

All that can be decided at start is: each endpoint of the Manifest is asked of the Boundary once for every data class.
A request then costs one dictionary look-up, and nothing at run time can widen what start-up found.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from regions.boundary import Boundary, Flow, Verdict
from regions.manifest import Manifest, ModelEndpoint
from regions.residency import Purpose
from runtime.errors import Refused


@dataclass(frozen=True)
class Candidate:
    """An endpoint and what the Boundary says of sending a data class there."""

    endpoint: ModelEndpoint
    verdict: Verdict


class Routing:
    def __init__(self, manifest: Manifest) -> None:
        self.classes = {endpoint.model_class for endpoint in manifest.models}
        self._candidates = {
            (model_class, str(data_class)): [
                Candidate(endpoint, _decide(manifest.boundary, endpoint, data_class))
                for endpoint in manifest.models
                if endpoint.model_class == model_class
            ]
            for model_class in self.classes
            for data_class in manifest.boundary.data_classes
        }

    def choose(self, model_class: str, data_class: str) -> Candidate:
        """The first endpoint of the class that the Boundary allows for this data.

        Raises ``Refused``: model_class_unavailable, or outside_boundary with each endpoint's reason.
        """
        candidates = self._candidates.get((model_class, data_class))
        if candidates is None:
            raise Refused(
                "model_class_unavailable",
                f"This stack has no model of class {model_class!r} for data of class {data_class!r}",
                remedy=f"model classes of this stack: {', '.join(sorted(self.classes)) or 'none'}",
            )
        for candidate in candidates:
            if candidate.verdict.allowed:
                return candidate
        raise outside_boundary(candidates)


def outside_boundary(candidates: list[Candidate]) -> Refused:
    """The refusal that tells of every endpoint which rule keeps it out."""
    reasons = [f"{c.endpoint.name}: {c.verdict.reason}" for c in candidates]
    return Refused(
        "outside_boundary",
        "; ".join(reasons),
        rule=candidates[0].verdict.rule,
        remedy="host this model class inside the Boundary, or have the residency section changed by who answers for it",
        countries=sorted({country for c in candidates for country in c.endpoint.countries}),
    )


def _decide(boundary: Boundary, endpoint: ModelEndpoint, data_class: str) -> Verdict:
    return boundary.decide(
        Flow(
            subject=f"model endpoint {endpoint.name}",
            purpose=Purpose.PROCESS,
            countries=endpoint.countries,
            data_class=data_class,
        ),
        datetime.now(UTC).date(),
    )
