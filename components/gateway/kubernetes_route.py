"""How callers come to a gateway on a cluster without a cloud's load balancer: the Gateway API, and cert-manager.

Which addresses may call is the affair of the Gateway's class: the API has no field for it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pulumi
from pulumi import Input
from pulumi_kubernetes.apiextensions import CustomResource

from components.kubernetes.parts import HTTP
from components.kubernetes.pods import Pods

_CERTIFICATES, _GATEWAYS = "cert-manager.io/v1", "gateway.networking.k8s.io/v1"
_TLS = "gateway-tls"


class Entry(NamedTuple):
    """``issuer``: a ClusterIssuer of cert-manager. ``seconds``: that a request may take."""

    host: str
    gateway_class: str
    issuer: str
    service: Input[str]
    seconds: int


def create_route(name: str, pods: Pods, entry: Entry, parent: pulumi.Resource) -> None:
    """TLS ends at the Gateway, by a certificate that is renewed by itself; there is no listener without TLS."""

    def create(role: str, kind: tuple[str, str], spec: Mapping[str, object], *after: pulumi.Resource) -> CustomResource:
        options = pulumi.ResourceOptions(parent=parent, depends_on=[*after])
        return CustomResource(
            f"{name}-{role}", api_version=kind[0], kind=kind[1], metadata=pods.metadata(), spec=spec, opts=options
        )

    certificate = create("certificate", (_CERTIFICATES, "Certificate"), _certificate(entry))
    gateway = create("gateway", (_GATEWAYS, "Gateway"), _gateway(entry), certificate)
    create("route", (_GATEWAYS, "HTTPRoute"), _route(entry, pods.app), gateway)


def _certificate(entry: Entry) -> dict[str, object]:
    return {
        "secretName": _TLS,
        "dnsNames": [entry.host],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": entry.issuer},
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }


def _gateway(entry: Entry) -> dict[str, object]:
    listener = {
        "name": "https",
        "hostname": entry.host,
        "port": 443,
        "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": _TLS}]},
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    return {"gatewayClassName": entry.gateway_class, "listeners": [listener]}


def _route(entry: Entry, gateway: str) -> dict[str, object]:
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"name": entry.service, "port": HTTP}],
        "timeouts": {"request": f"{entry.seconds}s", "backendRequest": f"{entry.seconds}s"},
    }
    return {
        "parentRefs": [{"name": gateway, "sectionName": "https"}],
        "hostnames": [entry.host],
        "rules": [rule],
    }
