"""The whole fabric for the live tests: one for the session, with a model that says what a test's script tells it.

It stands in a home with spaces, apart from the fabric that whoever runs the tests may have up.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from runtime.identity.client import IdentityClient
from runtime.identity.keys import read_key
from scripts.engine import ensure_engine
from tests.fakes.model_server import ScriptedModel
from tests.fixtures.desk import AGENT
from tests.fixtures.fabric import LiveFabric, silent
from tests.fixtures.office import Office
from tests.fixtures.psql import answer

_numbers = count(9001)
RESIDENCY = {
    "regimes": ["eu-gdpr"],
    "data_classes": {"public": {}, "internal": {}, "personal": {}},
    "relaxations": [
        {
            "regime": "eu-gdpr",
            "purposes": ["process"],
            "data_classes": ["public"],
            "countries": ["US"],
            "basis": "documented",
            "reference": "SCC-TEST-1",
            "reason": "public texts may be answered abroad",
            "approver": "the tests",
            "expires": (datetime.now(UTC) + timedelta(days=30)).date(),
        }
    ],
}
"""Public data may be processed in the US for a month; nothing else may leave the EEA."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def model() -> Iterator[ScriptedModel]:
    """The model server behind ``fabric``; give it turns by ``model.script``."""
    with ScriptedModel() as server:
        yield server


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Callable[[], LiveFabric]:
    """A fabric that is written down and not yet raised: a new one at each call."""
    engine = ensure_engine(silent)

    def planned() -> LiveFabric:
        at = {"url": model.url, "model": "scripted"}
        spec = {
            "platform": "local",
            "region": "local",
            "country": "DE",
            "residency": RESIDENCY,
            "models": {
                "chat-small": {
                    "candidates": {
                        "scripted": {"endpoint": at | {"countries": ["DE"]}},
                        "next": {"endpoint": at | {"countries": ["DE"]}, "weight": 0},
                    }
                },
                "chat-moving": {"candidates": {"alias": {"endpoint": at | {"model": "moving", "countries": ["DE"]}}}},
                "chat-public": {
                    "candidates": {"abroad": {"endpoint": at | {"countries": ["US"]}, "data_classes": ["public"]}}
                },
            },
            "core_systems": {"orders": {"demo": True}},
            "scope_classes": {
                "orders-rw": {
                    "core_system": "orders",
                    "tools": ["orders.get", "stock.check", "orders.cancel", "orders.refund"],
                }
            },
        }
        fabric = LiveFabric(engine, tmp_path_factory.mktemp("a home with spaces"), spec)
        fabric.write_spec()
        return fabric

    return planned


@pytest.fixture(scope="session")
def fabric(plan: Callable[[], LiveFabric]) -> Iterator[LiveFabric]:
    """A fabric that is up; whoever changes it puts it back."""
    fabric = plan()
    done = fabric.raised()
    try:
        assert done.code == 0, done.said
        yield fabric
    finally:
        fabric.destroy()


@pytest.fixture
async def office(fabric: LiveFabric) -> AsyncIterator[Office]:
    """Those who write to ``fabric`` and decide in it; the demo's agent is deployed."""
    manifest, secrets = fabric.manifest, fabric.home / "secrets"
    async with httpx.AsyncClient(base_url=manifest.endpoints.gateway, timeout=30, trust_env=False) as http:
        worker, person = (
            IdentityClient(http, manifest.identities.issuer, name, read_key(secrets / f"{name}.jwk"))
            for name in ("worker", "operator")
        )
        opened = Office(http, worker, person, Webhook((secrets / "webhook.key").read_text().strip()))
        await opened.deploy(AGENT)
        yield opened


@pytest.fixture
def new_order(fabric: LiveFabric) -> Callable[[], str]:
    """Puts an order of 129.00 into the order system that no other test knows; its number."""

    def ordered() -> str:
        number = str(next(_numbers))
        row = f"INSERT INTO orders VALUES ('{number}', 1, 'PUMP-3', 'delayed', 12900)"  # noqa: S608
        answer(fabric.primary("orders"), "core_writer", row)
        return number

    return ordered
