"""A primary as a cloud hands it over: no superuser, a master that may make roles and databases, and owns three."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
from kubernetes import client

from runtime.provision import access
from runtime.provision.administrator import Place
from tests.fixtures.pods import Pods
from tests.fixtures.postgres import Server, superuser

MASTER = "loomstead_master"
LIMITS = access.Limits(connection_limit=20, statement_timeout_ms=5000)


@dataclass
class Cloud:
    """``server``: nobody but its cloud is superuser there."""

    server: Server

    @property
    def place(self) -> Place:
        return Place("127.0.0.1", self.server.database.port, None)

    async def as_cloud(self, *statements: str, database: str = "postgres") -> None:
        connection = await superuser(replace(self.server.database, name=database))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def ask(self, query: str) -> object:
        connection = await superuser(self.server.database)
        answer = await connection.fetchval(query)
        await connection.close()
        return answer

    def wanted(self, *iam: str, further: tuple[str, ...] = ()) -> access.Wanted:
        return access.Wanted({role: f"drawn-{role}" for role in (*access.ROLES, *further)}, LIMITS, iam)

    def sign_in(self, wanted: access.Wanted) -> access.SignIn:
        def sign_in(role: str, database: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
            return self.place.sign_in(role, wanted.passwords[role], database)

        return sign_in


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    own = Server(tmp_path / "a cloud's server")
    own.start()
    made = Cloud(own)
    try:
        asyncio.run(
            made.as_cloud(
                f"CREATE ROLE {MASTER} LOGIN CREATEROLE CREATEDB PASSWORD 'unknown'",
                f"CREATE DATABASE loomstead OWNER {MASTER}",
                f"ALTER DATABASE postgres OWNER TO {MASTER}",
                f"ALTER DATABASE template1 OWNER TO {MASTER}",
                "CREATE ROLE rds_iam",
                f"GRANT rds_iam TO {MASTER} WITH ADMIN OPTION",
            )
        )
        # What RDS lets its master make; this build's extension is not marked as trusted.
        asyncio.run(made.as_cloud("CREATE EXTENSION vector", database="template1"))
        yield made
    finally:
        own.stop()


@pytest.fixture
def allowed(pods: Pods) -> Pods:
    """The Job's account may do what its Role in components/gateway/kubernetes.py says, and nothing else."""
    allow(pods, pods.runtime, "secrets")
    return pods


def allow(pods: Pods, namespace: str, secret: str) -> None:
    rbac = client.RbacAuthorizationV1Api(pods.core.api_client)
    metadata = client.V1ObjectMeta(name="writer")
    verbs = ["get", "create", "patch"]
    rule = client.V1PolicyRule(api_groups=[""], resources=["secrets"], resource_names=[secret], verbs=verbs)
    rbac.create_namespaced_role(namespace, client.V1Role(metadata=metadata, rules=[rule]))
    subject = client.RbacV1Subject(kind="ServiceAccount", name="provision", namespace=pods.runtime)
    reference = client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name="writer")
    binding = client.V1RoleBinding(metadata=metadata, role_ref=reference, subjects=[subject])
    rbac.create_namespaced_role_binding(namespace, binding)


def held(pods: Pods, namespace: str = "", secret: str = "secrets") -> dict[str, str]:  # noqa: S107  its name
    """What is in a Secret, of the runtime's namespace where no other is named."""
    found = pods.core.read_namespaced_secret(secret, namespace or pods.runtime).data or {}
    return {name: base64.b64decode(value).decode() for name, value in found.items()}
