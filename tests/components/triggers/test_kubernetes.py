"""What the runtime does not read is refused aloud; the webhook needs nothing beside the gateway."""

import pytest

from components.infrastructure import Refused
from components.triggers.contract import Triggers
from components.triggers.kubernetes import KubernetesTriggers, KubernetesTriggersArgs
from tests.fixtures.recording import Graph
from tests.fixtures.workloads import on_cluster


def triggers(args: KubernetesTriggersArgs) -> Graph:
    return on_cluster(lambda opts: KubernetesTriggers("fabric-triggers", args, opts))


def test_the_webhook_alone_needs_nothing() -> None:
    graph = triggers({"topics": [], "address": ""})
    component = graph.component("loomstead:triggers:Triggers")
    assert graph.children(component) == []
    assert graph.outputs[component.urn] == {"kafka": "", "mail": ""}
    assert graph.outputs[component.urn].keys() == Triggers.__annotations__.keys()


@pytest.mark.parametrize(
    ("args", "key"),
    [
        ({"topics": ["orders"], "address": ""}, "kafka"),
        ({"topics": [], "address": "orders@agents.corp.example"}, "mail"),
    ],
)
def test_what_nobody_would_read_is_refused_with_the_way_that_there_is(args: KubernetesTriggersArgs, key: str) -> None:
    with pytest.raises(Refused, match=rf"^triggers\.{key}: the runtime reads webhooks only yet\..*POST /triggers/"):
        triggers(args)
