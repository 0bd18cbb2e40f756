"""Model class → the endpoints that are asked, in order, all of them inside the Boundary.

What does not depend on the task is decided once a day: each endpoint of the Manifest is asked of the Boundary for every
data class, so a relaxation ends with its day and without a restart. A request then costs a look-up, and where several
endpoints share a priority a lot for each, drawn from the task: the same task meets the same order on every gateway.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from itertools import groupby

from regions.boundary import Boundary, Flow, Verdict
from regions.catalogue import Kind
from regions.manifest import Manifest, ModelEndpoint
from regions.residency import Purpose
from runtime.errors import Refused
from runtime.models.demand import Demand

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Candidate:
    """An endpoint, and what is said on a day of sending a data class there."""

    endpoint: ModelEndpoint
    verdict: Verdict

    @property
    def chosen(self) -> bool:
        """Whether it may be chosen at all; else it only gets copies, or is only compared."""
        return self.endpoint.weight > 0 and self.endpoint.shadow_percent is None


@dataclass(frozen=True)
class _Row:
    """The candidates of a model class for a data class. ``ranks``: those that may be chosen, by priority."""

    every: tuple[Candidate, ...]
    ranks: tuple[tuple[Candidate, ...], ...]
    shadows: tuple[Candidate, ...]


def today() -> int:
    """The day's ordinal, as ``date`` has them; it ends at midnight UTC, for each gateway at once."""
    return _EPOCH + int(time.time() // 86_400)


class Routing:
    """``day`` tells the day's ordinal; it is asked at each call, so it has to cost nothing."""

    def __init__(self, manifest: Manifest, day: Callable[[], int] = today) -> None:
        self.kinds: dict[str, Kind] = {endpoint.model_class: endpoint.kind for endpoint in manifest.models}
        self.demand = Demand()
        self._manifest, self._day = manifest, day
        self._decided = 0
        self._rows: dict[tuple[str, str], _Row] = {}

    def every(self, model_class: str, data_class: str) -> tuple[Candidate, ...]:
        """All candidates with their verdicts of today; raises ``Refused`` (model_class_unavailable)."""
        return self._row(model_class, data_class).every

    def choose(
        self, model_class: str, data_class: str, txn: str, quarantined: Mapping[str, object]
    ) -> tuple[Candidate, ...]:
        """Whom to ask for this task, the first one first, the others where those before it fail.

        ``quarantined``: why, by endpoint name. Raises ``Refused``: model_class_unavailable; outside_boundary with each
        endpoint's reason; endpoints_quarantined where those that are left are.
        """
        row = self._row(model_class, data_class)
        if not row.ranks:
            raise outside_boundary(row.every)
        route = tuple(
            candidate
            for rank in row.ranks
            for candidate in _drawn(rank, txn)
            if candidate.endpoint.name not in quarantined
        )
        if not route:
            raise _all_quarantined(row, quarantined)
        return route

    def shadows(
        self, model_class: str, data_class: str, txn: str, step: int, quarantined: Mapping[str, object]
    ) -> tuple[Candidate, ...]:
        """Who gets a copy of this call."""
        compared = self._row(model_class, data_class).shadows
        return compared and tuple(
            candidate
            for candidate in compared
            if candidate.endpoint.name not in quarantined and _copied(candidate.endpoint, txn, step)
        )

    def _row(self, model_class: str, data_class: str) -> _Row:
        day = self._day()
        if day != self._decided:
            self._rows, self._decided = _decide(self._manifest, date.fromordinal(day)), day
        row = self._rows.get((model_class, data_class))
        if row is None:
            raise Refused(
                "model_class_unavailable",
                f"This stack has no model of class {model_class!r} for data of class {data_class!r}",
                remedy=f"model classes of this stack: {', '.join(sorted(self.kinds)) or 'none'}",
            )
        return row


def outside_boundary(candidates: Iterable[Candidate]) -> Refused:
    """The refusal that tells of every endpoint what keeps it out."""
    told = tuple(candidates)
    refused = [candidate for candidate in told if not candidate.verdict.allowed]
    return Refused(
        "outside_boundary",
        "; ".join(_reason(candidate) for candidate in told),
        rule=refused[0].verdict.rule if refused else "model/weight",
        remedy="host this model class inside the Boundary, or have the residency section changed by who answers for it",
        countries=sorted({country for candidate in told for country in candidate.endpoint.countries}),
    )


def _all_quarantined(row: _Row, quarantined: Mapping[str, object]) -> Refused:
    held = [c.endpoint.name for rank in row.ranks for c in rank]
    others = [_reason(candidate) for candidate in row.every if candidate.endpoint.name not in held]
    return Refused(
        "endpoints_quarantined",
        "; ".join([*(f"{name}: {quarantined[name]}" for name in held), *others]),
        remedy="`loomstead models status` tells why; a person looks into it and releases one with a reason",
        endpoints=held,
    )


def _reason(candidate: Candidate) -> str:
    name = candidate.endpoint.name
    if not candidate.verdict.allowed:
        return f"{name}: {candidate.verdict.reason}"
    if candidate.endpoint.shadow_percent is not None:
        return f"{name}: it gets copies of calls and is never chosen"
    return f"{name}: its weight is 0, so it is never chosen"


def _decide(manifest: Manifest, day: date) -> dict[tuple[str, str], _Row]:
    return {
        (model_class, str(data_class)): _row_of(
            Candidate(endpoint, _verdict(manifest.boundary, endpoint, data_class, day))
            for endpoint in manifest.models
            if endpoint.model_class == model_class
        )
        for model_class in {endpoint.model_class for endpoint in manifest.models}
        for data_class in manifest.boundary.data_classes
    }


def _row_of(candidates: Iterable[Candidate]) -> _Row:
    every = tuple(candidates)
    inside = [candidate for candidate in every if candidate.verdict.allowed]
    ranked = sorted((candidate for candidate in inside if candidate.chosen), key=_priority)
    ranks = tuple(tuple(rank) for _, rank in groupby(ranked, key=_priority))
    return _Row(every, ranks, tuple(candidate for candidate in inside if candidate.endpoint.shadow_percent is not None))


def _priority(candidate: Candidate) -> int:
    return candidate.endpoint.priority


def _verdict(boundary: Boundary, endpoint: ModelEndpoint, data_class: str, day: date) -> Verdict:
    flow = Flow(f"model endpoint {endpoint.name}", Purpose.PROCESS, endpoint.countries, data_class)
    verdict = boundary.decide(flow, day)
    if verdict.allowed and data_class not in endpoint.data_classes:
        only = ", ".join(endpoint.data_classes)
        reason = f"model endpoint {endpoint.name}: {data_class} data may not be sent there, only {only}"
        return Verdict(False, "model/data-class", reason, endpoint.countries)
    return verdict


def _drawn(rank: tuple[Candidate, ...], txn: str) -> Iterable[Candidate]:
    """In the order of their lots, by which each is first as often as its weight says (Efraimidis and Spirakis 2006).

    An endpoint's lot depends on no other: one that is quarantined moves nobody but its own tasks.
    """
    return rank if len(rank) == 1 else sorted(rank, key=lambda candidate: _lot(candidate.endpoint, txn))


def _lot(endpoint: ModelEndpoint, txn: str) -> float:
    return -math.log(_fraction(f"{txn}\n{endpoint.name}")) / endpoint.weight


def _copied(endpoint: ModelEndpoint, txn: str, step: int) -> bool:
    return endpoint.shadow_percent is not None and (
        _fraction(f"{txn}\n{step}\n{endpoint.name}") * 100 <= endpoint.shadow_percent
    )


def _fraction(text: str) -> float:
    """Above 0 and up to 1, even over many texts, and the same for the same text."""
    return (int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) + 1) / 2**64
