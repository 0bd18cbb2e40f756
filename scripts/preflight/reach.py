"""Whether this machine reaches the private API of the stack's own cluster: `pulumi up` makes it, and goes on to call
it."""

from collections.abc import Iterator
from ipaddress import ip_network

from components.spec import Extent, FabricSpec, Platform
from scripts.preflight.facts import Facts, Reach
from scripts.preflight.results import Grade, Result, passed, unknown

_CODE, _CALLERS = "cluster/reach", "cluster/callers"


def reached(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    if spec.platform is not Platform.AWS or spec.extent is not Extent.FABRIC:
        return
    yield _answer(facts.reach, spec.cluster.own or "the stack's cluster", spec.cluster.callers)
    if facts.machine is None:
        yield unknown(_CALLERS, "this machine's address")
    elif any(facts.machine in ip_network(block) for block in spec.cluster.callers):
        yield passed(_CALLERS, str(facts.machine), "it is one of cluster.callers")
    else:
        message = f"this machine's address is in none of {_told(spec.cluster.callers)}"
        remedy = "add its network to cluster.callers, or deploy from there; a NAT on the way changes the address"
        yield Result(_CALLERS, Grade.WARN, str(facts.machine), message, remedy)


def _answer(reach: Reach | None, cluster: str, callers: tuple[str, ...]) -> Result:
    match reach:
        case None:
            return unknown(_CODE, cluster)
        case Reach.ANSWERS:
            return passed(_CODE, cluster, "its private API answers this machine")
        case Reach.ABSENT:
            remedy = (
                f"raise extent: foundation first, attach its network to that of {_told(callers)} (transit gateway, "
                "peering, VPN), then take extent: fabric"
            )
            return Result(_CODE, Grade.INFO, cluster, "not there yet; its API will be private", remedy)
        case Reach.SILENT:
            remedy = (
                f"attach its network to that of {_told(callers)}, resolve its name there, and deploy from there; see "
                "cluster.callers"
            )
            return Result(_CODE, Grade.FAIL, cluster, "its private API does not answer this machine", remedy)


def _told(callers: tuple[str, ...]) -> str:
    return ", ".join(callers) or "cluster.callers, which names none"
