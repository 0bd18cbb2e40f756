"""Managed models on Azure: one resource in the stack's region that answers by a private address and Entra's tokens
alone, with exactly the deployments that the stack file's candidates name.

A deployment keeps its model's version until the stack file says another, and its prompts and answers pass the default
content filter. Two things are no property of a resource. Microsoft keeps prompts for its abuse monitoring, for up to 30
days and in the resource's geography, until it grants the subscription "modified abuse monitoring": ask for that before
personal data is sent. And the key that encrypts what the resource keeps is named with its version, so after Key Vault
has rotated it, the next ``up`` takes the new one.

Azure changes one deployment of a resource at a time, so each waits for the one before.
"""

from typing import TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import cognitiveservices, monitor

from components.azure.private import create_way_in
from components.azure.roles import create_role
from components.models.azure_plan import Deployment, Hosting
from components.models.contract import Models

_CALLER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
"""Built-in role Cognitive Services OpenAI User: it calls deployments, and neither makes nor changes one."""
_FILTER = "Microsoft.DefaultV2"


class AzureModelsArgs(TypedDict):
    """``hosting``: what is asked for. ``group``: name of the resource group. ``endpoints``: the subnet of private
    endpoints. ``zone``: id of the private DNS zone. ``logs``: id of the workspace.

    ``key``: URI of the key that encrypts, with its version; ``encryptor``, ``encryptor_client``: id and client id of
    the identity that may use it. ``caller``: object id of the runtime's identity.
    """

    hosting: Hosting
    subscription: str
    region: str
    group: Input[str]
    endpoints: Input[str]
    zone: Input[str]
    logs: Input[str]
    key: Input[str]
    encryptor: Input[str]
    encryptor_client: Input[str]
    caller: Input[str]


class AzureModels(Models):
    """``account``: id of the resource. ``invocable``: ids of its deployments."""

    account: Output[str]

    def __init__(self, name: str, args: AzureModelsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        account = self._create_account()
        self._create_way_in(account)
        create_role(f"{name}-caller", args["subscription"], _CALLER, args["caller"], account.id, self._child)
        self._create_audit(account)
        self.account = account.id
        self.invocable = Output.all(*self._create_deployments(account))
        self.endpoints = Output.from_input({**args["hosting"].endpoints})
        self.register_outputs({"account": self.account, "invocable": self.invocable, "endpoints": self.endpoints})

    def _create_way_in(self, account: cognitiveservices.Account) -> None:
        args, zones = self._args, {"models": self._args["zone"]}
        create_way_in(
            self._name, args["region"], args["group"], args["endpoints"], "account", account.id, zones, self._child
        )

    def _create_account(self) -> cognitiveservices.Account:
        name = self._args["hosting"].account
        return cognitiveservices.Account(
            f"{self._name}-account",
            resource_group_name=self._args["group"],
            location=self._args["region"],
            account_name=name,
            kind="OpenAI",
            sku=cognitiveservices.SkuArgs(name="S0"),
            identity=cognitiveservices.IdentityArgs(
                type=cognitiveservices.ResourceIdentityType.USER_ASSIGNED,
                user_assigned_identities=Output.from_input(self._args["encryptor"]).apply(lambda id_: [id_]),
            ),
            properties=cognitiveservices.AccountPropertiesArgs(
                custom_sub_domain_name=name,
                disable_local_auth=True,
                public_network_access=cognitiveservices.PublicNetworkAccess.DISABLED,
                network_acls=cognitiveservices.NetworkRuleSetArgs(default_action="Deny", bypass="None"),
                restrict_outbound_network_access=True,
                allowed_fqdn_list=[],
                dynamic_throttling_enabled=True,
                encryption=self._encryption(),
            ),
            opts=self._child,
        )

    def _encryption(self) -> cognitiveservices.EncryptionArgs:
        key = Output.from_input(self._args["key"]).apply(
            lambda uri: uri.split("/")
        )  # https://<vault>/keys/<name>/<version>
        return cognitiveservices.EncryptionArgs(
            key_source=cognitiveservices.KeySource.MICROSOFT_KEY_VAULT,
            key_vault_properties=cognitiveservices.KeyVaultPropertiesArgs(
                key_vault_uri=key.apply(lambda parts: f"https://{parts[2]}/"),
                key_name=key.apply(lambda parts: parts[-2]),
                key_version=key.apply(lambda parts: parts[-1]),
                identity_client_id=self._args["encryptor_client"],
            ),
        )

    def _create_audit(self, account: cognitiveservices.Account) -> None:
        """Who called what, and how it went; prompts and answers are in none of it."""
        monitor.DiagnosticSetting(
            f"{self._name}-audit",
            resource_uri=account.id,
            workspace_id=self._args["logs"],
            logs=[monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)],
            metrics=[monitor.DiagnosticsMetricSettingsArgs(category="AllMetrics", enabled=True)],
            opts=self._child,
        )

    def _create_deployments(self, account: cognitiveservices.Account) -> list[Output[str]]:
        made: list[cognitiveservices.Deployment] = []
        for each in self._args["hosting"].deployments:
            made.append(self._create_deployment(account, each, made[-1:]))
        return [each.id for each in made]

    def _create_deployment(
        self, account: cognitiveservices.Account, asked: Deployment, after: list[cognitiveservices.Deployment]
    ) -> cognitiveservices.Deployment:
        return cognitiveservices.Deployment(
            f"{self._name}-{asked.name}",
            resource_group_name=self._args["group"],
            account_name=self._args["hosting"].account,
            deployment_name=asked.name,
            sku=cognitiveservices.SkuArgs(name=asked.sku, capacity=asked.capacity),
            properties=cognitiveservices.DeploymentPropertiesArgs(
                model=cognitiveservices.DeploymentModelArgs(format="OpenAI", name=asked.model, version=asked.version),
                rai_policy_name=_FILTER,
                spillover_deployment_name=asked.spillover,
                version_upgrade_option=cognitiveservices.DeploymentModelVersionUpgradeOption.NO_AUTO_UPGRADE,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, *after]),
        )
