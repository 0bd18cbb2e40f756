"""What starts tasks on a cluster: the gateway's signed webhook, which the gateway's own route leads to.

Brokers and mailboxes are somebody else's there, so a way in is nothing without a process that reads it, and the runtime
has none yet: both are refused instead of being declared and never read.
"""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
from pulumi import Output

from components.infrastructure import Refused
from components.triggers.contract import Triggers


class KubernetesTriggersArgs(TypedDict):
    """``topics``: of Kafka; ``address``: of mails, empty for none. Either is refused."""

    topics: Sequence[str]
    address: str


class KubernetesTriggers(Triggers):
    """Nothing is made. Raises ``Refused`` for what the runtime does not read."""

    def __init__(self, name: str, args: KubernetesTriggersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        for key, asked in (("kafka", args["topics"]), ("mail", args["address"])):
            if asked:
                raise Refused(
                    f"triggers.{key}: the runtime reads webhooks only yet. Leave it out, and have what reads "
                    f"{asked if isinstance(asked, str) else ', '.join(asked)} call POST /triggers/<agent>/<trigger>"
                )
        super().__init__(name, args, opts)
        self.kafka, self.mail = Output.from_input(""), Output.from_input("")
        self.register_outputs({"kafka": self.kafka, "mail": self.mail})
