"""Keys on Google Cloud: what signs and encrypts stays in Cloud KMS, what must be read lies in Secret Manager, all in
one region.

Pulumi makes the secrets without a version: nothing secret passes through it, so none is in its state. Their names begin
with ``secrets``; whoever fills them in does so in the project.
"""

import re
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi import Output
from pulumi_gcp import kms, projects, secretmanager

from components.infrastructure import Refused
from components.keys.contract import Keys
from components.keys.jwk import jwk

SIGNERS = ("manifest", "issuer", "worker", "operator")
SECRETS = ("ledger", "subjects", "webhook")
SERVICES = ("sqladmin", "secretmanager")
"""What encrypts with the stack's key on its own behalf; the name of a service is the same in every universe."""

WITH_HSM = ("googleapis.com",)
"""Universes that keep keys in hardware; S3NS has software and external keys only (documentation.s3ns.fr, protection
levels, 2025), of others nothing is known."""

_ROTATION = "7776000s"
_RECOVERY = "2592000s"
"""90 days until the next version; 30 to notice that a version of a key or secret was destroyed by mistake."""
_USE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


class GcpKeysError(Refused):
    """The keys asked for cannot be had; nothing was created. The message says what, and what to do."""


class GcpKeysArgs(TypedDict):
    """``encryption``: full name of an own key that encrypts instead of one made here; its policy gets the services too.

    ``protection``: ``HSM`` or ``SOFTWARE``, for the keys made here; unsaid, the best that the universe has.
    ``universe``: the region's partition in the catalogue.
    """

    stack: str
    project: str
    region: str
    universe: str
    encryption: NotRequired[str]
    protection: NotRequired[str]


class GcpKeys(Keys):
    """``encryption``: full name of the key that encrypts what the stack stores; known once the services may use it."""

    encryption: Output[str]

    def __init__(self, name: str, args: GcpKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._protection = protection(args["universe"], args.get("protection"))
        if own := args.get("encryption"):
            checked(own, args["region"])
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._data = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        self._ring = kms.KeyRing(f"{name}-ring", location=args["region"], opts=self._data)
        self.encryption = self._create_grants(self._create_encryption())
        self._create_secrets()
        signers = {role: self._create_signer(role) for role in SIGNERS}
        self.secrets = Output.from_input(
            f"projects/{args['project']}/locations/{args['region']}/secrets/{self._prefix}"
        )
        self.public = Output.all(**{role: self._public(key) for role, key in signers.items()})
        self.manifest_key = signers["manifest"].id
        self.generation = Output.from_input(1)  # a version can be restored for 30 days, so none is made anew
        self.register_outputs(
            {
                "secrets": self.secrets,
                "public": self.public,
                "manifest_key": self.manifest_key,
                "generation": self.generation,
                "encryption": self.encryption,
            }
        )

    @property
    def _prefix(self) -> str:
        return f"loomstead-{self._args['stack']}-"

    def _create_encryption(self) -> Output[str]:
        if own := self._args.get("encryption"):
            return Output.from_input(own)
        key = kms.CryptoKey(
            f"{self._name}-encryption",
            key_ring=self._ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=_ROTATION,
            destroy_scheduled_duration=_RECOVERY,
            deletion_policy="PREVENT",
            version_template={"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protection_level": self._protection},
            opts=self._data,
        )
        return key.id

    def _create_grants(self, key: Output[str]) -> Output[str]:
        """The services' own identities, whose addresses the universe decides, and their use of the key.

        They stay as long as the databases do: Cloud SQL suspends an instance whose key it may no longer use.
        """
        grants = []
        for service in SERVICES:
            identity = projects.ServiceIdentity(
                f"{self._name}-{service}",
                project=self._args["project"],
                service=f"{service}.googleapis.com",
                opts=self._data,
            )
            grants.append(
                kms.CryptoKeyIAMMember(
                    f"{self._name}-{service}-grant",
                    crypto_key_id=key,
                    role=_USE,
                    member=identity.member,
                    opts=self._data,
                )
            )
        # With the grants' ids, so that nothing is encrypted before its service may.
        return Output.all(key, *[grant.id for grant in grants]).apply(lambda known: known[0])

    def _create_signer(self, role: str) -> kms.CryptoKey:
        """Not rotated by itself: KMS cannot do that with a key pair, whose public half is published."""
        return kms.CryptoKey(
            f"{self._name}-{role}",
            key_ring=self._ring.id,
            purpose="ASYMMETRIC_SIGN",
            destroy_scheduled_duration=_RECOVERY,
            deletion_policy="PREVENT",
            version_template={"algorithm": "EC_SIGN_P256_SHA256", "protection_level": self._protection},
            opts=self._data,
        )

    def _create_secrets(self) -> None:
        for secret in SECRETS:
            secretmanager.RegionalSecret(
                f"{self._name}-{secret}",
                secret_id=f"{self._prefix}{secret}",
                location=self._args["region"],
                customer_managed_encryption={"kms_key_name": self.encryption},
                version_destroy_ttl=_RECOVERY,
                deletion_protection=True,
                opts=self._data,
            )

    def _public(self, key: kms.CryptoKey) -> Output[dict[str, Any]]:
        version = kms.get_kms_crypto_key_version_output(crypto_key=key.id, opts=pulumi.InvokeOutputOptions(parent=self))
        return version.public_keys.apply(lambda keys: jwk(keys[0].pem))


def protection(universe: str, wanted: str | None = None) -> str:
    """How a universe protects keys, the best unless said. Raises ``GcpKeysError``."""
    levels = ("HSM", "SOFTWARE") if universe in WITH_HSM else ("SOFTWARE",)
    wanted = wanted or levels[0]
    if wanted not in levels:
        raise GcpKeysError(
            f"keys: protection {wanted!r} is not to be had in {universe}: take {' or '.join(levels)}, "
            "or name an own key as encryption, such as one held outside"
        )
    return wanted


def checked(key: str, region: str) -> str:
    """An own key's full name. Raises ``GcpKeysError`` where it is none of the region."""
    if not re.fullmatch(rf"projects/[^/]+/locations/{re.escape(region)}/keyRings/[\w-]+/cryptoKeys/[\w-]+", key):
        raise GcpKeysError(
            f"keys.encryption: {key!r} is no KMS key in {region}; name one as "
            f"projects/…/locations/{region}/keyRings/…/cryptoKeys/…, or leave it out"
        )
    return key
