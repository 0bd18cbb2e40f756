"""The fabric on AWS: each part is a capability, in the order in which they need each other.

``aws_foundation`` makes what there is without a cluster too, ``aws_hosting`` the cluster, ``aws_runtime`` what it runs.

guardrails ─┬→ keys ─┬→ network ─┬→ databases ─┬→ backup
            │        │           └→ cluster ───┼→ what runs there → Manifest
            │        ├→ observability ─────────┤
            │        └→ managed models ────────┘
            └→ identity, budget
"""

import pulumi

from components.fabrics.aws_foundation import AwsFoundation
from components.fabrics.aws_plan import planned
from components.fabrics.contract import Fabric
from components.publish import Ground
from components.spec import Extent


class AwsFabric(Fabric):
    """``outputs``: names and addresses of what was made; nothing in it is secret."""

    @staticmethod
    def check(ground: Ground) -> None:
        """Raises ``Refused``."""
        planned(ground)

    def __init__(self, name: str, ground: Ground, opts: pulumi.ResourceOptions | None = None) -> None:
        found = planned(ground)
        super().__init__(name, ground, opts)
        foundation = AwsFoundation(name, ground, found, self)
        gateway = ground.spec.gateway if ground.spec.extent is Extent.FABRIC else None
        if gateway:
            # Only here: a foundation needs no SDK of Kubernetes.
            from components.fabrics.aws_runtime import AwsRuntime  # noqa: PLC0415

            self.outputs = AwsRuntime(name, ground, gateway, found, foundation).outputs
        else:
            identity, backup = foundation.create_identity(), foundation.create_backup()
            self.outputs = {"issuer": identity.issuer, "backups": backup.store, **foundation.told()}
        self.register_outputs({**self.outputs})
