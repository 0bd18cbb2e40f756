"""Keys on Azure: what signs and encrypts never leaves a vault that only the network's private endpoint reaches.

Key Vault copies what it holds to the region's pair, and nothing stops it. Where the pair is outside the Boundary, as
rule Z17 says, a Managed HSM takes its place. An HSM works once its administrators took its security domain; they then
make its keys, under the names that the keys have here, and give the encryptor the role Managed HSM Crypto Service
Encryption User, all at the HSM itself: Azure's management does neither. Until then what is encrypted with its key
fails, and the next ``up`` goes on.

No secret is made here: a vault knows none without a value, and a value that Pulumi is given is in its state. Who fills
them in does so in the vault.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import authorization, keyvault, managedidentity, monitor

from components.azure.private import create_way_in
from components.azure.roles import create_role
from components.keys.azure_checks import AzureKeysError, Store, Vault, checked_name, checked_vault, store_for
from components.keys.contract import Keys
from regions.rules.rule import Plan

SIGNERS = ("manifest", "issuer", "worker", "operator")
ENCRYPTION = "encryption"
_RECOVERY_DAYS = 90
"""The longest that Azure gives to notice that a vault or a key was deleted by mistake."""
_ROTATED_AFTER, _EXPIRES_AFTER = "P335D", "P365D"
_ENCRYPTER = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
"""Built-in role Key Vault Crypto Service Encryption User."""
_ADMINISTRATORS = 3
"""People of whom two can still open an HSM's security domain when one is gone."""


class AzureKeysChosen(TypedDict):
    """``vault``: id of an own vault, in which the keys are made. ``administrators``: object ids of an HSM's.
    ``secrets``: where secrets lie if not in the vault, which an HSM needs."""

    vault: NotRequired[str]
    administrators: NotRequired[Sequence[str]]
    secrets: NotRequired[str]


class AzureKeysArgs(AzureKeysChosen):
    """``plan``: whose Boundary decides where keys may be. ``name``: of the vault or HSM, unique in its cloud.
    ``group``: name of the resource group. ``endpoints``: the subnet of private endpoints. ``zones``: ids of the private
    DNS zones of ``vault`` and ``hsm``. ``logs``: id of the workspace that is told of each use.

    ``public``: the signers' public JWKs, as read in the vault: Azure's management does not tell them, so a first ``up``
    has none.
    """

    subscription: str
    tenant: str
    plan: Plan
    name: str
    group: Input[str]
    endpoints: Input[str]
    zones: Mapping[str, Input[str]]
    logs: Input[str]
    public: NotRequired[Mapping[str, Mapping[str, Any]]]


class AzureKeys(Keys):
    """``encryption``: URI of the key that encrypts what the stack stores, without a version, so that a rotated key is
    taken by itself; ``versioned``: with it, empty of an HSM's, which Azure's management does not tell.
    ``encryptor``: id of the identity that may use it, and nothing else; ``encryptor_client``: its client id."""

    encryption: Output[str]
    versioned: Output[str]
    encryptor: Output[str]
    encryptor_client: Output[str]

    def __init__(self, name: str, args: AzureKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        store = check(args["plan"], args["name"], args["zones"], args)
        super().__init__(name, args, opts)
        self._name, self._args, self._region = name, args, args["plan"].region
        self._child = pulumi.ResourceOptions(parent=self)
        self._data = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        own = args.get("vault")
        self._own = checked_vault(own, self._region, pulumi.InvokeOptions(parent=self)) if own else None
        self._create_encryptor()
        if store is Store.HSM:
            self._create_hsm()
        else:
            self._create_vault()
        self.public = Output.from_input({role: dict(jwk) for role, jwk in args.get("public", {}).items()})
        self.encryptor, self.encryptor_client = self._encryptor.id, self._encryptor.client_id
        self.generation = Output.from_input(1)  # a deleted secret can be restored, so none is made anew
        self._finish()

    def _create_encryptor(self) -> None:
        """It and its role stay with the databases, which read nothing without their key."""
        self._encryptor = managedidentity.UserAssignedIdentity(
            f"{self._name}-encryptor", resource_group_name=self._args["group"], location=self._region, opts=self._data
        )

    def _create_vault(self) -> None:
        vault = self._own or self._create_new_vault()
        encryption = keyvault.Key(
            f"{self._name}-{ENCRYPTION}",
            resource_group_name=vault.group,
            vault_name=vault.name,
            key_name=ENCRYPTION,
            properties=_encrypting(),
            opts=self._data,
        )
        signers = {role: self._create_signer(role, vault) for role in SIGNERS}
        role = self._create_encrypters_role(encryption)
        self._create_way_in(Store.VAULT, vault.id)
        self._create_audit(vault.id)
        # What takes the key comes after its identity may use it.
        self.encryption = Output.all(encryption.key_uri, role.id).apply(lambda told: told[0])
        self.versioned = Output.all(encryption.key_uri_with_version, role.id).apply(lambda told: told[0])
        self.manifest_key = signers["manifest"].key_uri_with_version
        self.secrets = Output.from_input(self._args.get("secrets") or Output.concat(vault.uri, "secrets/"))

    def _create_new_vault(self) -> Vault:
        made = keyvault.Vault(
            f"{self._name}-vault",
            resource_group_name=self._args["group"],
            location=self._region,
            vault_name=self._args["name"],
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=self._args["tenant"],
                sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.PREMIUM),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                enable_purge_protection=True,
                soft_delete_retention_in_days=_RECOVERY_DAYS,
                public_network_access="Disabled",
                # The database's service reads its key as a trusted service of Azure, by no endpoint.
                network_acls=keyvault.NetworkRuleSetArgs(default_action="Deny", bypass="AzureServices"),
                enabled_for_deployment=False,
                enabled_for_disk_encryption=False,
                enabled_for_template_deployment=False,
            ),
            opts=self._data,
        )
        self._create_lock(made.id)
        # A preview knows it as little as the id.
        uri = made.id.apply(lambda _: made.properties).apply(lambda found: found.vault_uri)
        return Vault(made.id, self._args["group"], made.name, uri)

    def _create_signer(self, role: str, vault: Vault) -> keyvault.Key:
        return keyvault.Key(
            f"{self._name}-{role}",
            resource_group_name=vault.group,
            vault_name=vault.name,
            key_name=role,
            properties=keyvault.KeyPropertiesArgs(kty="EC-HSM", curve_name="P-256", key_ops=["sign", "verify"]),
            opts=self._data,
        )

    def _create_encrypters_role(self, key: keyvault.Key) -> authorization.RoleAssignment:
        principal, subscription = self._encryptor.principal_id, self._args["subscription"]
        return create_role(f"{self._name}-encryptor-role", subscription, _ENCRYPTER, principal, key.id, self._data)

    def _create_hsm(self) -> None:
        made = keyvault.ManagedHsm(
            f"{self._name}-hsm",
            resource_group_name=self._args["group"],
            location=self._region,
            name=self._args["name"],
            sku=keyvault.ManagedHsmSkuArgs(family="B", name=keyvault.ManagedHsmSkuName.STANDARD_B1),
            properties=keyvault.ManagedHsmPropertiesArgs(
                tenant_id=self._args["tenant"],
                initial_admin_object_ids=[*self._args.get("administrators", ())],
                enable_soft_delete=True,
                enable_purge_protection=True,
                soft_delete_retention_in_days=_RECOVERY_DAYS,
                public_network_access="Disabled",
                network_acls=keyvault.MHSMNetworkRuleSetArgs(default_action="Deny", bypass="AzureServices"),
            ),
            opts=self._data,
        )
        self._create_way_in(Store.HSM, made.id)
        self._create_audit(made.id)
        self._create_lock(made.id)
        # A preview knows it as little as the id.
        uri = made.id.apply(lambda _: made.properties).apply(lambda found: found.hsm_uri)
        self.encryption, self.versioned = Output.concat(uri, "keys/", ENCRYPTION), Output.from_input("")
        self.manifest_key = Output.concat(uri, "keys/manifest")
        self.secrets = Output.from_input(self._args.get("secrets", ""))

    def _create_way_in(self, store: Store, id_: Input[str]) -> None:
        service = _ZONES[store]
        create_way_in(
            self._name,
            self._region,
            self._args["group"],
            self._args["endpoints"],
            str(store),
            id_,
            {service: self._args["zones"][service]},
            self._child,
        )

    def _create_audit(self, id_: Input[str]) -> None:
        monitor.DiagnosticSetting(
            f"{self._name}-audit",
            resource_uri=id_,
            workspace_id=self._args["logs"],
            logs=[monitor.DiagnosticsLogSettingsArgs(category_group="audit", enabled=True)],
            opts=self._data,
        )

    def _create_lock(self, id_: Input[str]) -> None:
        """What stands in a locked store cannot be deleted either, so it has the store's options."""
        authorization.ManagementLockByScope(
            f"{self._name}-lock",
            scope=id_,
            level=authorization.LockLevel.CAN_NOT_DELETE,
            notes="Holds the keys of what the stack stores. To delete it on purpose, remove this lock first.",
            opts=self._data,
        )

    def _finish(self) -> None:
        self.register_outputs(
            {
                "secrets": self.secrets,
                "public": self.public,
                "manifest_key": self.manifest_key,
                "generation": self.generation,
                "encryption": self.encryption,
                "versioned": self.versioned,
                "encryptor": self.encryptor,
                "encryptor_client": self.encryptor_client,
            }
        )


_ZONES = {Store.VAULT: "vault", Store.HSM: "hsm"}


def check(plan: Plan, name: str, zones: Collection[str], chosen: AzureKeysChosen) -> Store:
    """What holds the keys; raises ``AzureKeysError`` where it cannot be had. ``zones``: of which names are known."""
    checked_name(name)
    store = store_for(plan)
    if store is Store.VAULT:
        return store
    region = plan.region
    pair = plan.catalogue.regions[region].pair
    why = f"keys: Key Vault in {region} copies keys and secrets to {pair}, outside the Boundary (Z17)"
    if "vault" in chosen:
        raise AzureKeysError(
            f"{why}: no own vault there can hold the keys; take an HSM, or a region whose pair is inside"
        )
    if _ZONES[store] not in zones:
        raise AzureKeysError(f"{why}, and no private name of an HSM is known in this cloud: take another region")
    if len(set(chosen.get("administrators", ()))) < _ADMINISTRATORS:
        raise AzureKeysError(
            f"{why}, so it takes an HSM: name {_ADMINISTRATORS} administrators of it at least "
            "(directory.key_administrators), or take a region whose pair is inside the Boundary"
        )
    if not chosen.get("secrets"):
        raise AzureKeysError(f"{why}, and an HSM holds no secrets: say in secrets where they lie instead")
    return store


def _encrypting() -> keyvault.KeyPropertiesArgs:
    """Rotated before it expires, with time left to see that it was not."""
    rotate = keyvault.LifetimeActionArgs(
        action=keyvault.ActionArgs(type=keyvault.KeyRotationPolicyActionType.ROTATE),
        trigger=keyvault.TriggerArgs(time_after_create=_ROTATED_AFTER),
    )
    return keyvault.KeyPropertiesArgs(
        kty="RSA-HSM",
        key_size=2048,  # Azure OpenAI takes no other (MicrosoftDocs/azure-ai-docs, encrypt-data-at-rest.md)
        key_ops=["wrapKey", "unwrapKey"],
        rotation_policy=keyvault.RotationPolicyArgs(
            attributes=keyvault.KeyRotationPolicyAttributesArgs(expiry_time=_EXPIRES_AFTER), lifetime_actions=[rotate]
        ),
    )
