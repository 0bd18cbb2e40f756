"""Keys on Kubernetes: what the deployer signs with is on the deployer's machine, all else is made in the cluster.

The Secret of the runtime is filled in by the Job ``provision``, which draws what is missing; Pulumi knows its name and
never has its values. What encrypts it in etcd is the API server's, with a key outside the cluster that is only referred
to here. The Job has the rights that the gateway gives it on that one Secret, and no others.
"""

import json
from collections.abc import Sequence
from typing import Final, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.infrastructure import Refused
from components.keys.contract import Keys
from components.keys.local import SecretFiles
from components.kubernetes.parts import PROVISION, STACK_LABEL

SECRETS: Final = "secrets"
SIGNERS: Sequence[str] = ("manifest", "operator")


class KubernetesKeysArgs(TypedDict):
    """``home``: folder of the stack's state on the deployer's machine. ``namespace``: where the Job runs.

    ``encryption``: a reference to the key outside the cluster that its Secrets are encrypted with.
    """

    stack: str
    home: str
    namespace: Input[str]
    encryption: str


class KubernetesKeys(Keys):
    """``secrets``: name of the Secret in the runtime's namespace. ``manifest_key``: the public JWK as JSON.

    ``signer``: file of the key that signs the Manifest. ``provision``: ServiceAccount of the Job. ``encryption``: the
    reference. Raises ``Refused``.
    """

    signer: Output[str]
    provision: Output[str]
    encryption: Output[str]

    def __init__(self, name: str, args: KubernetesKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        if not args["encryption"]:
            raise Refused("cluster.key: expected a reference to the key that the cluster's Secrets are encrypted with")
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        files = SecretFiles(f"{name}-files", {"home": args["home"], "signers": [*SIGNERS]}, self._child)
        self.secrets, self.public = Output.from_input(SECRETS), files.public
        self.manifest_key = files.public.apply(lambda public: json.dumps(public["manifest"], sort_keys=True))
        self.generation = files.generation
        self.signer = Output.concat(files.secrets, "/manifest.jwk")
        self.provision = self._create_account()
        self.encryption = Output.from_input(args["encryption"])
        self.register_outputs(
            {
                "secrets": self.secrets,
                "public": self.public,
                "manifest_key": self.manifest_key,
                "generation": self.generation,
                "signer": self.signer,
                "provision": self.provision,
                "encryption": self.encryption,
            }
        )

    def _create_account(self) -> Output[str]:
        account = ServiceAccount(
            f"{self._name}-provision",
            metadata=ObjectMetaArgs(
                name=PROVISION, namespace=self._args["namespace"], labels={STACK_LABEL: self._args["stack"]}
            ),
            automount_service_account_token=False,
            opts=self._child,
        )
        return account.metadata.name.apply(str)
