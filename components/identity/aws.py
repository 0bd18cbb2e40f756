"""Identity on AWS: the issuer's public documents where STS fetches them, a role for each scope class, and the pods'.

The issuer is a bucket of the region: two objects of it can be read by anybody over HTTPS, public keys and who they are
of, and nothing else. Who holds such a name is the issuer, so the bucket outlives its stack. CloudFront would end TLS
elsewhere than in the region, and not every partition has it. The account's own block of public access has to let the
bucket's policy be: with it on, the bucket answers nobody and no role of a scope class can be assumed.

A scope class's role trusts the issuer's tokens for exactly that class of this stack. It may do what the core system's
scope class declares and nothing by default.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import Statement, document
from components.aws.hosts import SUFFIXES
from components.aws.pods import PodRoleArgs, create_pod_role
from components.identity.aws_pods import PodPolicies, pods_of
from components.identity.contract import Identity
from components.infrastructure import Refused
from components.kubernetes.parts import PROVISION
from components.naming import operator_subject

DOCUMENTS: Final = (".well-known/openid-configuration", "jwks.json")
"""As ``runtime.identity.documents`` has them."""
AUDIENCE: Final = "sts.amazonaws.com"
"""What STS asks for in every partition."""
SESSION_SECONDS: Final = 3600
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class AwsIdentityArgs(TypedDict):
    """``account``: 12 digits. ``partition``: the region's in the catalogue. ``boundary``: ARN of the policy that bounds
    every role. ``public``: public JWK by name, as the keys give them out. ``scope_classes``: name → what its role may
    do in the core system.

    The rest is for a fabric on a cluster, all or nothing of it: ``cluster``, its name, and ``cluster_arn``;
    ``runtime``, ``tools``, ``observability``: namespaces; ``pods``: what their roles may do.
    """

    stack: str
    region: str
    account: str
    partition: str
    boundary: Input[str]
    public: Input[dict[str, dict[str, Any]]]
    scope_classes: Mapping[str, Sequence[Statement]]
    cluster: NotRequired[Input[str]]
    cluster_arn: NotRequired[Input[str]]
    runtime: NotRequired[Input[str]]
    tools: NotRequired[Input[str]]
    observability: NotRequired[Input[str]]
    pods: NotRequired[PodPolicies]


def issuer_url(stack: str, region: str, account: str, partition: str) -> str:
    """``iss`` of every token of a stack on AWS; raises ``Refused`` where no bucket can be called so."""
    if partition not in SUFFIXES:
        raise Refused(f"identity: partition {partition}: its hosts are not known; known: {', '.join(SUFFIXES)}")
    return f"https://{_bucket(stack, account)}.s3.{region}.{SUFFIXES[partition]}"


def _bucket(stack: str, account: str) -> str:
    name = f"loomstead-{stack}-{account}-issuer"
    if not _BUCKET.fullmatch(name):
        raise Refused(f"identity: no bucket can be called {name}: name the stack with 33 letters, digits and - at most")
    return name


class AwsIdentity(Identity):
    """``issuer``: see ``issuer_url``. ``clients``: the operator; on a cluster those of ``KubernetesIdentity`` count.

    ``documents``: ``s3://`` URL under which the two are put. ``roles``: ARN by scope class. ``pod_roles``: ARN by
    ServiceAccount.
    """

    documents: Output[str]
    roles: Output[dict[str, str]]
    pod_roles: Output[dict[str, str]]

    def __init__(self, name: str, args: AwsIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._kept = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        url = issuer_url(args["stack"], args["region"], args["account"], args["partition"])
        bucket, published = self._create_bucket()
        provider = self._create_provider(url, published)
        self.issuer = Output.from_input(url)
        self.documents = Output.format("s3://{0}", bucket.bucket)
        self.roles = Output.all(**{each: self._create_role(each, provider).arn for each in args["scope_classes"]})
        self.pod_roles = Output.all(**self._create_pods(bucket))
        self.clients = Output.from_input(args["public"]).apply(_clients)
        told = ("issuer", "clients", "documents", "roles", "pod_roles")
        self.register_outputs({key: getattr(self, key) for key in told})

    def _create_bucket(self) -> tuple[aws.s3.Bucket, aws.s3.BucketPolicy]:
        bucket = aws.s3.Bucket(
            f"{self._name}-issuer", bucket=_bucket(self._args["stack"], self._args["account"]), opts=self._kept
        )
        by: aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict = {
            "sse_algorithm": "AES256"  # who reads without credentials cannot use a key of KMS
        }
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{self._name}-issuer-encryption",
            bucket=bucket.id,
            rules=[{"apply_server_side_encryption_by_default": by}],
            opts=self._child,
        )
        aws.s3.BucketOwnershipControls(
            f"{self._name}-issuer-owner",
            bucket=bucket.id,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self._child,
        )
        aws.s3.BucketVersioning(
            f"{self._name}-issuer-versions",
            bucket=bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=self._child,
        )
        return bucket, self._publish(bucket)

    def _publish(self, bucket: aws.s3.Bucket) -> aws.s3.BucketPolicy:
        """By its policy alone, never by ACLs; the policy comes once it is let be."""
        opened = aws.s3.BucketPublicAccessBlock(
            f"{self._name}-issuer-access",
            bucket=bucket.id,
            block_public_acls=True,
            ignore_public_acls=True,
            block_public_policy=False,
            restrict_public_buckets=False,
            opts=self._child,
        )
        read: Statement = {
            "Sid": "TwoDocuments",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": [Output.format("{0}/{1}", bucket.arn, path) for path in DOCUMENTS],
        }
        unencrypted: Statement = {
            "Sid": "OverTlsAlone",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket.arn, Output.format("{0}/*", bucket.arn)],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        return aws.s3.BucketPolicy(
            f"{self._name}-issuer-policy",
            bucket=bucket.id,
            policy=document(read, unencrypted),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[opened]),
        )

    def _create_provider(self, url: str, published: aws.s3.BucketPolicy) -> aws.iam.OpenIdConnectProvider:
        """Without thumbprints, which IAM takes as optional: it then connects to the issuer's host as this is made, and
        keeps the thumbprint of the authority that it is shown (botocore's CreateOpenIDConnectProvider). Keys it fetches
        over TLS that its own list of authorities vouches for, as for S3's hosts; thumbprints count for others alone.

        So the bucket and its policy are there first. The two documents come with the runtime, whose key Pulumi never
        has (ADR 12): until they are there, STS refuses whoever asks for a role of a scope class.
        """
        return aws.iam.OpenIdConnectProvider(
            f"{self._name}-provider",
            url=url,
            client_id_lists=[AUDIENCE],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[published]),
        )

    def _create_role(self, scope_class: str, provider: aws.iam.OpenIdConnectProvider) -> aws.iam.Role:
        host = issuer_url(*(self._args[key] for key in ("stack", "region", "account", "partition")))[len("https://") :]
        whose = {f"{host}:sub": f"scope:{self._args['stack']}:{scope_class}", f"{host}:aud": AUDIENCE}
        role = aws.iam.Role(
            f"{self._name}-scope-{scope_class}",
            description=f"Scope class {scope_class} of {self._args['stack']}",
            assume_role_policy=document(
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": provider.arn},
                    "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
                    "Condition": {"StringEquals": whose},
                }
            ),
            max_session_duration=SESSION_SECONDS,
            permissions_boundary=self._args["boundary"],
            opts=self._child,
        )
        if statements := self._args["scope_classes"][scope_class]:
            aws.iam.RolePolicy(
                f"{self._name}-scope-{scope_class}-policy",
                role=role.name,
                policy=document(*statements),
                opts=self._child,
            )
        return role

    def _create_pods(self, bucket: aws.s3.Bucket) -> dict[str, Output[str]]:
        args = self._args
        if not {"cluster", "cluster_arn", "runtime", "tools", "pods"} <= set(args):
            return {}
        namespaces = {"runtime": args["runtime"], "tools": args["tools"], "observability": args.get("observability")}
        found = {}
        for pod in pods_of(args["pods"]):
            namespace = namespaces[pod.namespace]
            if namespace is None:
                continue
            statements = [*pod.statements, *(_published(bucket.arn) if pod.service_account == PROVISION else [])]
            role = create_pod_role(
                self,
                f"{self._name}-{pod.service_account}",
                PodRoleArgs(
                    cluster=args["cluster"],
                    cluster_arn=args["cluster_arn"],
                    namespace=namespace,
                    service_account=pod.service_account,
                    boundary=args["boundary"],
                    statements=statements,
                ),
            )
            for index, policy in enumerate(pod.documents):
                aws.iam.RolePolicy(
                    f"{self._name}-{pod.service_account}-further-{index}",
                    role=role.name,
                    policy=policy,
                    opts=self._child,
                )
            found[pod.service_account] = role.arn
        return found


def _published(bucket: Output[str]) -> list[Statement]:
    """To write the two documents, and to be told that one is not there yet."""
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": [Output.format("{0}/{1}", bucket, path) for path in DOCUMENTS],
        },
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
    ]


def _clients(public: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The person; workloads are known by the tokens of their cluster."""
    return [{"id": "operator", "subject": operator_subject(), "kind": "person", "jwk": public["operator"]}]
