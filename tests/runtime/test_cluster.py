"""The runtime as its pods' templates say, on a real API server: Job, gateway and worker as processes, and a whole task.

There is no kubelet, so mounts are folders; no DNS, so the Service is an address of this machine; and this PostgreSQL
is built without TLS, so nobody is told its authority.
"""

import base64
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client
from standardwebhooks import Webhook

from components.gateway.kubernetes import KubernetesGateway, KubernetesGatewayArgs
from components.identity.kubernetes import JWKS
from regions.manifest import Client, CoreSystem, Manifest, ScopeClass, ServiceAccount, Temporal
from regions.signature import sign_manifest
from runtime.demo.orders.app import create_app
from runtime.demo.orders.settings import Settings
from runtime.direct import Direct
from runtime.identity.client import IdentityClient
from tests.fakes.model_server import ScriptedModel
from tests.fixtures.desk import AGENT, CONTEXT_TOKENS, TOOLS, serving
from tests.fixtures.issuer import KEYS, SUBJECTS, endpoint, manifest
from tests.fixtures.kubelet import Kubelet
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.office import Office
from tests.fixtures.pods import Pods
from tests.fixtures.postgres import Server, free_port
from tests.fixtures.workloads import IMAGE, REGION, STACK, on_cluster

GATEWAY = "https://agents.corp.example"
AUTHORITY = "LOOMSTEAD_DATABASE_CA"
READY_SECONDS = 60


@dataclass
class Deployed:
    """``objects``: by kind and name, as they were sent. ``address``: what the gateway's Service is here."""

    kubelet: Kubelet
    objects: dict[tuple[str, str], dict[str, Any]]
    address: str
    manifest: Manifest
    primary: Server
    folder: Path

    def start(self, kind: str, name: str) -> subprocess.Popen[bytes]:
        workload = self.objects[kind, name]
        environment = self.kubelet.environment(workload)
        environment.pop(AUTHORITY, None)
        with self.log(name).open("wb") as log:
            return subprocess.Popen(self.kubelet.argv(workload), env=environment, stdout=log, stderr=log)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def secrets(self) -> Path:
        """What the Job drew, as whoever may read the Secret sees it."""
        volume = {"name": "all", "secret": {"secretName": "secrets"}}
        self.kubelet.mount(volume, self.folder / "all", self.kubelet.pods.runtime, "")
        return self.folder / "all"


def described(pods: Pods, database: int, temporal: str, model: str, orders: str) -> Manifest:
    """As the fabric would publish it; the gateway's URL leads nowhere from here."""
    account = ServiceAccount(
        issuer="https://kubernetes.default.svc", jwks=JWKS, subject=f"system:serviceaccount:{pods.runtime}:worker"
    )
    worker = Client(id="worker", subject=SUBJECTS["worker"], kind="workload", service_account=account)
    made = manifest(GATEWAY)
    operator = next(each for each in made.identities.clients if each.id == "operator")
    places = {
        "orchestrator": Temporal(address=temporal, ui=""),
        "primary_port": database,
        "replica_port": database,
    }
    return made.model_copy(
        update={
            "stack": STACK,
            "region": REGION,
            "models": (endpoint("scripted", model, context_tokens=CONTEXT_TOKENS),),
            "core_systems": (CoreSystem(name="orders", url=orders, openapi=f"{orders}/openapi.json", country="DE"),),
            "scope_classes": (ScopeClass(name="orders-rw", core_system="orders", tools=TOOLS),),
            "identities": made.identities.model_copy(update={"clients": (worker, operator)}),
            "endpoints": made.endpoints.model_copy(update=places),
        }
    )


def asked(pods: Pods, published: Manifest) -> KubernetesGatewayArgs:
    """``tools`` stands for the databases' namespace and for the orchestrator's."""
    return {
        "stack": STACK,
        "region": REGION,
        "namespace": pods.runtime,
        "image": IMAGE,
        "host": GATEWAY.removeprefix("https://"),
        "size": "small",
        "manifest": json.dumps(sign_manifest(published, KEYS["operator"].as_dict(private=True))),
        "manifest_key": json.dumps(KEYS["operator"].as_dict(private=False)),
        "issuer": GATEWAY,
        "secrets": "secrets",
        "store": "kubernetes",
        "credentials": [],
        "translator": False,
        "environment": {},
        "gateway_account": "gateway",
        "worker_account": "worker",
        "provision_account": "provision",
        "provision_namespace": pods.tools,
        "provision_part": "primary",
        "administrator": "primary-superuser",
        "authority": "primary-server",
        "orchestrator_namespace": pods.tools,
        "orchestrator_secret": "temporal",
        "revision": "1",
        "after": [],
    }


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "a primary")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def deployed(
    pods: Pods, cluster: Cluster, primary: Server, temporal: str, model: ScriptedModel, tmp_path: Path
) -> Deployed:
    """All that the component registers is on the API server, and all that an operator and a controller would add."""
    port = free_port()
    published = described(pods, primary.database.port, temporal, model.url, f"http://127.0.0.1:{free_port()}")
    graph = on_cluster(lambda options: KubernetesGateway("fabric-runtime", asked(pods, published), options))
    sent = [each for each in manifests(graph) if each.get("kind")]
    for each in sent:
        cluster.apply(each)
    service = f"http://gateway.{pods.runtime}.svc.cluster.local:8080"
    names = {"0.0.0.0:8080": f"127.0.0.1:{port}", service: f"http://127.0.0.1:{port}"}
    kubelet = Kubelet(pods, cluster, tmp_path / "mounted", names)
    kubelet.publish_authority(pods.runtime, pods.tools)
    password = primary.database.passfile("postgres").read_text().strip().rpartition(":")[2]
    for name, data in {
        "primary-superuser": {"username": "postgres", "password": password},
        "primary-server": {"ca.crt": "of a server with TLS"},
    }.items():
        secret = client.V1Secret(metadata=client.V1ObjectMeta(name=name), string_data=data)
        pods.core.create_namespaced_secret(pods.tools, secret)
    objects = {(each["kind"], each["metadata"]["name"]): each for each in sent}
    return Deployed(kubelet, objects, f"http://127.0.0.1:{port}", published, primary, tmp_path)


def provisioned(deployed: Deployed) -> Path:
    job = deployed.start("Job", "provision")
    assert job.wait(READY_SECONDS) == 0, deployed.log("provision").read_text()
    pods, authority = deployed.kubelet.pods, base64.b64encode(b"of a server with TLS").decode()
    pods.core.patch_namespaced_secret("secrets", pods.runtime, {"data": {"database.ca.crt": authority}})
    return deployed.secrets()


@pytest.fixture
async def orders(deployed: Deployed) -> AsyncIterator[Path]:
    """The core system beside it, which reads the issuer's keys; the folder of the secrets that the Job drew."""
    secrets = provisioned(deployed)
    address = ("127.0.0.1", deployed.primary.database.port)
    port = httpx.URL(deployed.manifest.core_systems[0].url).port or 0
    settings = Settings(port, GATEWAY, address, address, secrets)
    async with (
        httpx.AsyncClient(transport=Direct(deployed.address)) as http,
        serving(create_app(settings, http), port),
    ):
        yield secrets


@pytest.fixture
async def office(deployed: Deployed, orders: Path) -> AsyncIterator[Office]:
    """With gateway and worker running; both end well when they are told to."""
    with ExitStack() as stack:
        for name, ready in (("gateway", "Application startup complete"), ("worker", "worker ready")):
            process = deployed.start("Deployment", name)
            stack.callback(ended, process, deployed.log(name))
            wait_for(ready, process, deployed.log(name))
        async with httpx.AsyncClient(base_url=GATEWAY, transport=Direct(deployed.address), timeout=60) as http:
            operator = IdentityClient(http, GATEWAY, "operator", KEYS["operator"])
            yield Office(http, operator, operator, Webhook((orders / "webhook.key").read_text()))


def wait_for(text: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def ended(process: subprocess.Popen[bytes], log: Path) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) in (0, -signal.SIGTERM), log.read_text()  # uvicorn ends by the signal, when all is closed


async def test_a_task_goes_from_its_mail_to_its_end_as_the_pods_are_told(deployed: Deployed, office: Office) -> None:
    await office.deploy(AGENT)
    txn = await office.mail("order 4711 is delayed, the customer wants it cancelled and the money back")
    await office.until(txn, "awaiting_approval", "finished")
    await office.decide(txn, "approve")
    done = await office.until(txn, "finished")
    assert done["outcome"] == "orders.cancel order_id=4711: done; orders.refund order_id=4711 amount_cents=12900: done"
    kept = deployed.kubelet.pods.core.read_namespaced_secret("temporal", deployed.kubelet.pods.tools).data or {}
    assert kept.keys() == {"password"}
