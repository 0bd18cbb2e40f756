"""What every platform's triggers give; what they take is its platform's own Args. The webhook is the gateway's."""

from collections.abc import Mapping

import pulumi


class Triggers(pulumi.ComponentResource):
    """``kafka``: bootstrap servers, ``host:port`` and commas. ``mail``: where mails are taken from: a queue's URL or a
    mailbox. Empty: there is none."""

    kafka: pulumi.Output[str]
    mail: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:triggers:Triggers", name, None, opts)
