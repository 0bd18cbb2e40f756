"""The rules on resources as a policy pack: the same rule objects, plan and waivers as ``loomstead review --graph``.

A preview is decided as a whole, once all is planned: only then is it known which resource another one means. An update
decides each resource before it is made, by every rule that needs no other resource to be seen, and all of it again at
its end. So preview before an update: what takes the whole plan would be found after its resources are made.

This speaks the engine's own protocol, not ``pulumi-policy``'s: that SDK (1.21.0) hands a policy no word of what is
secret, lets a policy pass that meets an unknown value, and holds every package of the lock to protobuf 5.

The stack is reviewed as its program does it: by what Pulumi read under ``loomstead:fabric``, with the lines of
``LOOMSTEAD_STACK_FILE`` or the stack's own file. A pack is not told that a resource is imported; ``--graph`` is.
"""

# ruff: noqa: N802 (gRPC's method names)

import json
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any, NoReturn

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi.runtime.proto import analyzer_pb2_grpc, plugin_pb2

from components.naming import stack_file
from components.review import StackReview, refusal, review_read
from components.spec import CONFIG_KEY, SpecError
from regions.catalogue import Catalogue, load_catalogue
from regions.findings import Finding
from regions.rules import RULES
from regions.rules.rule import Plan, Resource
from scripts.graph import Graph, State, findings_in, plan_of, root_of, told_of

NAME = "loomstead"
_LONGEST_MESSAGE = ("grpc.max_receive_message_length", 400 * 1024 * 1024)
"""Bytes: as much as the engine sends."""


class OthersNeeded(Exception):
    """A rule asked for other resources than the one that it judges."""


class Unseen(tuple[Resource, ...]):
    """The other resources, where they are not known yet."""

    def __iter__(self) -> Iterator[Resource]:
        raise OthersNeeded


@dataclass(frozen=True)
class Ground:
    """What the stack's resources are judged by."""

    reviewed: StackReview
    catalogue: Catalogue
    on: date
    root: Mapping[str, Any]
    dry_run: bool


class Pack(analyzer_pb2_grpc.AnalyzerServicer):
    """One engine's run over one stack."""

    def __init__(self) -> None:
        self._ground: Ground | None = None
        self._states: dict[str, State] = {}

    def Handshake(self, request: proto.AnalyzerHandshakeRequest, context: grpc.ServicerContext):
        return proto.AnalyzerHandshakeResponse()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext):
        return plugin_pb2.PluginInfo(version=version("loomstead"))

    def GetAnalyzerInfo(self, request: Empty, context: grpc.ServicerContext):
        return proto.AnalyzerInfo(
            name=NAME,
            displayName="Loomstead",
            version=version("loomstead"),
            policies=[
                proto.PolicyInfo(
                    name=rule.id,
                    description=rule.title,
                    enforcementLevel=proto.MANDATORY,
                    remediation_steps=rule.remedy,
                )
                for rule in RULES.values()
            ],
        )

    def Configure(self, request: proto.ConfigureAnalyzerRequest, context: grpc.ServicerContext):
        """Enforcement is the stack file's affair, by its waivers: a pack's own configuration changes nothing."""
        return Empty()

    def ConfigureStack(self, request: proto.AnalyzerStackConfigureRequest, context: grpc.ServicerContext):
        """Review the stack file; one with open findings has no resources that could be judged."""
        catalogue, on = load_catalogue(), datetime.now(UTC).date()
        read = request.config.get(CONFIG_KEY)
        try:
            fabric = None if read is None else json.loads(read)
            reviewed = review_read(stack_file(request.stack), fabric, request.stack, catalogue, on)
        except (SpecError, ValueError) as wrong:
            _refuse(context, str(wrong))
        if reviewed.open or reviewed.boundary is None:
            _refuse(context, refusal(reviewed))
        self._ground = Ground(reviewed, catalogue, on, root_of(reviewed), request.dry_run)
        return proto.AnalyzerStackConfigureResponse()

    def Analyze(self, request: proto.AnalyzeRequest, context: grpc.ServicerContext):
        """Keep what the program says of the resource; in an update, judge it before it is made."""
        ground = self._known(context)
        state = State(request.urn, request.type, _wire(request.properties), provider=request.provider.urn or None)
        self._states[state.urn] = state
        if ground.dry_run:
            return proto.AnalyzeResponse()
        graph = Graph(tuple(self._states.values()), ground.root)
        plan = plan_of(ground.reviewed, ground.catalogue, ground.on, Unseen())
        found = told_of(graph, findings_alone(graph.resource(state), plan), ground.reviewed, ground.on)
        return proto.AnalyzeResponse(diagnostics=[_diagnostic(finding, state.urn) for finding in found])

    def AnalyzeStack(self, request: proto.AnalyzeStackRequest, context: grpc.ServicerContext):
        """Judge the whole plan. What was not registered is read: the program says nothing of it but its name."""
        ground = self._known(context)
        graph = Graph(tuple(self._final(resource) for resource in request.resources), ground.root)
        urns = {state.name: state.urn for state in graph.states}
        found = findings_in(graph, ground.reviewed, ground.catalogue, ground.on)
        diagnostics = [_diagnostic(finding, urns.get(finding.resource, "")) for finding in found]
        return proto.AnalyzeResponse(diagnostics=diagnostics)

    def Remediate(self, request: proto.AnalyzeRequest, context: grpc.ServicerContext):
        return proto.RemediateResponse()

    def Cancel(self, request: Empty, context: grpc.ServicerContext):
        return Empty()

    def _known(self, context: grpc.ServicerContext) -> Ground:
        if self._ground is None:
            _refuse(context, "no stack was named: this engine is too old for the pack")
        return self._ground

    def _final(self, resource: proto.AnalyzerResource) -> State:
        sources = {key: tuple(found.urns) for key, found in resource.propertyDependencies.items()}
        outputs = _wire(resource.properties)
        registered = self._states.get(resource.urn)
        if registered is None:
            provider = resource.provider.urn or None
            return State(resource.urn, resource.type, {}, outputs, provider, sources, adopted=True)
        return replace(registered, outputs=outputs, sources=sources)


def _refuse(context: grpc.ServicerContext, reason: str) -> NoReturn:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, reason)
    raise RuntimeError(reason)  # not reached: gRPC's types do not say that abort raises


def findings_alone(resource: Resource, plan: Plan) -> Iterator[Finding]:
    """What the rules find without asking for another resource; the rest waits for the whole plan."""
    for rule in RULES.values():
        try:
            yield from rule.findings(resource, plan)
        except OthersNeeded:
            continue


def _wire(properties: Struct) -> Mapping[str, Any]:
    return MessageToDict(properties)


def _diagnostic(finding: Finding, urn: str) -> proto.AnalyzeDiagnostic:
    where = f"{finding.resource}: {finding.property}" if finding.property else finding.resource
    message = f"{finding.rule} at {where}: {finding.message}. Remedy: {finding.remedy}"
    waiver = finding.waiver
    if waiver:
        message += f". Waived by {waiver.approver} until {waiver.expires}: {waiver.reason}"
    return proto.AnalyzeDiagnostic(
        policyName=finding.rule,
        policyPackName=NAME,
        policyPackVersion=version("loomstead"),
        description=RULES[finding.rule].title,
        message=message,
        enforcementLevel=proto.ADVISORY if waiver else proto.MANDATORY,
        urn=urn,
    )


@contextmanager
def serving() -> Generator[int]:
    """The loopback port on which a pack listens for one engine."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=[_LONGEST_MESSAGE])
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Pack(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


def serve() -> None:
    """Serve the engine that started this process, until it ends it; the port is what it waits to read."""
    with serving() as port:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        threading.Event().wait()
