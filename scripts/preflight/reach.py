"""Whether this machine reaches the private API of the stack's own cluster: `pulumi up` makes it, and goes on to call
it."""

from collections.abc import Iterator
from ipaddress import ip_network

from components.infrastructure import Cluster
from components.spec import Extent, FabricSpec, Platform
from scripts.preflight.facts import Facts, Reach
from scripts.preflight.results import Grade, Result, passed, unknown

_CODE, _CALLERS = "cluster/reach", "cluster/callers"


def reached(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    if spec.platform is not Platform.AWS or spec.extent is not Extent.FABRIC:
        return
    yield _answer(facts.reach, spec.cluster)
    if spec.cluster.own:
        return
    if facts.machine is None:
        yield unknown(_CALLERS, "this machine's address")
    elif any(facts.machine in ip_network(block) for block in spec.cluster.callers):
        yield passed(_CALLERS, str(facts.machine), "it is one of cluster.callers")
    else:
        message = f"this machine's address is in none of {_told(spec.cluster.callers)}"
        remedy = "add its network to cluster.callers, or deploy from there; a NAT on the way changes the address"
        yield Result(_CALLERS, Grade.WARN, str(facts.machine), message, remedy)


def _answer(reach: Reach | None, cluster: Cluster) -> Result:
    """Who reaches an own cluster is its owner's affair."""
    name, callers = cluster.own or "the stack's cluster", _told(cluster.callers)
    match reach:
        case None:
            return unknown(_CODE, name)
        case Reach.ANSWERS:
            return passed(_CODE, name, "its private API answers this machine")
        case Reach.ABSENT if cluster.own:
            remedy = "name in cluster.own one that is there, in this account and region (docs/runbooks/prepare-eks.md)"
            return Result(_CODE, Grade.FAIL, name, "EKS has no such cluster with an API", remedy)
        case Reach.ABSENT:
            remedy = (
                f"raise extent: foundation first, attach its network to that of {callers} (transit gateway, peering, "
                "VPN; with routes in the tables of its workloads and of its endpoints, where the gateway's load "
                "balancer is), then take extent: fabric"
            )
            return Result(_CODE, Grade.INFO, name, "not there yet; its API will be private", remedy)
        case Reach.SILENT:
            remedy = (
                "deploy from where its VPC is attached and its name is resolved, and have its owner let that network "
                "in at 443 to the cluster's security group (docs/runbooks/prepare-eks.md)"
                if cluster.own
                else f"attach its network to that of {callers}, resolve its name there, and deploy from there; see "
                "cluster.callers"
            )
            return Result(_CODE, Grade.FAIL, name, "its private API does not answer this machine", remedy)


def _told(callers: tuple[str, ...]) -> str:
    return ", ".join(callers) or "cluster.callers, which names none"
