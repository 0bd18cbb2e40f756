"""One gRPC server that stands in for every package's provider: it judges, records and invents, and makes nothing.

The engine attaches to it by ``PULUMI_DEBUG_PROVIDERS`` and opens a connection for each provider resource of the
program: the caller's address tells where a call is under. Objects of Kubernetes go on to a real API server, and keys of
AWS to moto's KMS, where the rehearsal has them.
"""

# ruff: noqa: N802 (gRPC's method names)

import json
import threading
from collections.abc import Generator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc, status_pb2
from pulumi.runtime.proto import provider_pb2 as proto

from scripts.rehearsal.answers import NoAnswer, Place, answer
from scripts.rehearsal.checks import Problem, mistakes
from scripts.rehearsal.cloud import Cloud, Fault, Op, Recorded, Way
from scripts.rehearsal.fills import fills
from scripts.rehearsal.outputs import Made, identity, outputs, unknown
from scripts.rehearsal.references import dangling, foreign
from scripts.rehearsal.replacing import replacing
from scripts.rehearsal.sdk import UnknownType, shape
from scripts.rehearsal.wire import Properties, holds_unknown, plain, revealed, struct

if TYPE_CHECKING:  # their packages take a second to load, and few stacks need them
    from scripts.rehearsal.cluster import Cluster
    from scripts.rehearsal.kms import Kms

_WORKERS = 32
_MESSAGE_BYTES = 400 << 20
_HOLD_SECONDS = 60.0
_LARGE = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]


_KEY = "aws:kms/key:Key"
_PUBLIC_KEY = "aws:kms/getPublicKey:getPublicKey"
_NOWHERE = Place()


@dataclass(frozen=True)
class Real:
    """What is real behind the recorder, where it is."""

    kms: "Kms | None" = None
    cluster: "Cluster | None" = None


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    def __init__(self, cloud: Cloud, real: Real) -> None:
        self._cloud, self._real = cloud, real
        self._places: dict[str, Place] = {}

    def Handshake(self, request: proto.ProviderHandshakeRequest, context: grpc.ServicerContext):
        return proto.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext):
        return Empty()

    def Cancel(self, request: Empty, context: grpc.ServicerContext):
        return Empty()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext):
        return plugin_pb2.PluginInfo(version="999.0.0")  # newer than whatever an SDK asks for

    def CheckConfig(self, request: proto.CheckRequest, context: grpc.ServicerContext):
        return proto.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: proto.DiffRequest, context: grpc.ServicerContext):
        changed = _changed(request)
        kind = proto.DiffResponse.DIFF_SOME if changed else proto.DiffResponse.DIFF_NONE
        return proto.DiffResponse(changes=kind, diffs=changed)

    def Configure(self, request: proto.ConfigureRequest, context: grpc.ServicerContext):
        place = self._places[context.peer()] = _place(revealed(plain(request.args)))
        self._cloud.note("configure", request.urn, region=place.region)
        return proto.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Invoke(self, request: proto.InvokeRequest, context: grpc.ServicerContext):
        """Refused where nobody told what a cloud would say."""
        asked, place = revealed(plain(request.args)), self._place(context)
        self._cloud.note("invoke", "", token=request.tok)
        told = self._cloud.control().invokes.get(request.tok)
        try:
            given = answer(request.tok, asked, place, self._inputs) if told is None else told
        except NoAnswer as none:
            _abort(context, str(none))
        if request.tok == _PUBLIC_KEY and self._real.kms:
            given = {**given, "publicKeyPem": self._real.kms.public_key(place.region, str(asked["keyId"]))}
        response = proto.InvokeResponse()
        getattr(response, "return").CopyFrom(struct(given))  # a name that Python keeps for itself
        return response

    def Check(self, request: proto.CheckRequest, context: grpc.ServicerContext):
        problems = self.problems(_token(request.urn), plain(request.news), self._place(context))
        self._cloud.note("check", request.urn, problems=[f"{one.property}: {one.reason}" for one in problems])
        # the place is in the reason: the engine prints the value, be it a secret, of a property that it is told of
        failures = [proto.CheckFailure(reason=f"{one.property}: {one.reason}") for one in problems]
        return proto.CheckResponse(inputs=request.news, failures=failures)

    def problems(self, token: str, inputs: Properties, place: Place) -> list[Problem]:
        try:
            known = shape(token)
        except UnknownType as unknown_type:
            return [Problem("", str(unknown_type))]
        return [
            *mistakes(known, inputs),
            *dangling(inputs, self._cloud.known(), place),
            *foreign(inputs, place.region),
        ]

    def Diff(self, request: proto.DiffRequest, context: grpc.ServicerContext):
        row = replacing().get(_token(request.urn))
        changed = [name for name in _changed(request) if name not in request.ignoreChanges]
        replaces = [name for name in changed if row and name in row.replaces]
        undecided = [name for name in changed if row is None or name in row.undecided]
        if changed and (found := self._object(request.urn, request.id)):
            cluster, name = found
            replaces = changed if cluster.replaces(name, plain(request.news)) else replaces
            undecided = []
        self._cloud.note("diff", request.urn, changed=changed, replaces=replaces, undecided=undecided)
        kind = proto.DiffResponse.DIFF_SOME if changed else proto.DiffResponse.DIFF_NONE
        anew = bool(replaces) and _token(request.urn).startswith("kubernetes:")  # two cannot have one name
        return proto.DiffResponse(changes=kind, diffs=changed, replaces=replaces, deleteBeforeReplace=anew)

    def Create(self, request: proto.CreateRequest, context: grpc.ServicerContext):
        token, inputs = _token(request.urn), plain(request.properties)
        if request.preview:
            return proto.CreateResponse(properties=struct(unknown(shape(token), inputs)))
        if holds_unknown(inputs):
            _abort(context, "the engine creates with a value that is not known yet")
        fault = self._fault(Op.CREATE, request.urn, context)
        with self._cloud.making() as may:
            if not may:
                self._hold(context)
            made = Made(token, request.urn, self._place(context), self._cloud.serial())
            rid, fixed = self._born(made, inputs, context)
            given = outputs(made, shape(token), inputs, rid, {**fixed, **self._cloud.control().outputs.get(token, {})})
            self._cloud.put(Recorded(token, rid, request.urn, inputs, given))
        self._cloud.note("create", request.urn, id=rid, inputs=inputs)
        if fault and fault.way is Way.PARTIAL:
            _abort_partial(context, fault, rid, given, inputs)
        self._lose(fault, context)
        return proto.CreateResponse(id=rid, properties=struct(given))

    def Read(self, request: proto.ReadRequest, context: grpc.ServicerContext):
        self._fault(Op.READ, request.urn, context)
        control, found = self._cloud.control(), self._cloud.get(_token(request.urn), request.id)
        if there := None if found else self._looked_up(_token(request.urn), request.id):
            return proto.ReadResponse(id=request.id, properties=struct(there), inputs=struct(there))
        gone = found is None or any(part in request.urn for part in control.gone)
        if found and (real := self._object(request.urn, request.id)):
            gone = gone or not real[0].has(real[1], found.inputs)
        self._cloud.note("read", request.urn, id=request.id, found=not gone)
        if found is None or gone:
            return proto.ReadResponse()
        drift = self._drift(request.urn)
        inputs = {**found.inputs, **{name: value for name, value in drift.items() if name in found.inputs}}
        return proto.ReadResponse(id=request.id, properties=struct({**found.outputs, **drift}), inputs=struct(inputs))

    def Update(self, request: proto.UpdateRequest, context: grpc.ServicerContext):
        token, inputs, old = _token(request.urn), plain(request.news), plain(request.old_inputs)
        kept = {name: value for name, value in plain(request.olds).items() if name not in old}
        if request.preview:
            return proto.UpdateResponse(properties=struct({**kept, **inputs}))
        fault = self._fault(Op.UPDATE, request.urn, context)
        made = Made(token, request.urn, self._place(context), self._cloud.serial())
        if found := self._object(request.urn, request.id):
            self._applied(*found, inputs, context)
        given = outputs(made, shape(token), {**kept, **inputs}, request.id, {})
        self._cloud.put(Recorded(token, request.id, request.urn, inputs, given))
        self._cloud.note("update", request.urn, id=request.id, changed=_changed(request))
        self._lose(fault, context)
        return proto.UpdateResponse(properties=struct(given))

    def Delete(self, request: proto.DeleteRequest, context: grpc.ServicerContext):
        fault = self._fault(Op.DELETE, request.urn, context)
        there = self._cloud.get(_token(request.urn), request.id)
        if there and (real := self._object(request.urn, request.id)):
            real[0].delete(real[1], there.inputs)
        found = self._cloud.take(_token(request.urn), request.id)
        self._cloud.note("delete", request.urn, id=request.id, found=found)
        self._lose(fault, context)
        return Empty()

    def _place(self, context: grpc.ServicerContext) -> Place:
        return self._places.get(context.peer(), _NOWHERE)

    def _born(self, made: Made, inputs: Properties, context: grpc.ServicerContext) -> tuple[str, Properties]:
        """Id, and outputs that are more than made up."""
        given = revealed(inputs)
        if made.token == _KEY and self._real.kms and given.get("keyUsage") == "SIGN_VERIFY":
            rid = self._real.kms.create(made.place.region, given)
            return rid, {"keyId": rid}
        rid = identity(made, given)
        cluster = self._real.cluster
        if made.token.startswith("kubernetes:") and cluster and cluster.knows(given):
            self._applied(cluster, rid.rpartition("/")[2], inputs, context)
        return rid, fills(made, given, self._inputs)

    def _inputs(self, rid: str) -> Mapping[str, Any] | None:
        return next((revealed(found.inputs) for found in self._cloud.resources() if found.id == rid), None)

    def _object(self, urn: str, rid: str) -> "tuple[Cluster, str] | None":
        """The cluster, where it has the object, and the object's name."""
        cluster, there = self._real.cluster, self._cloud.get(_token(urn), rid)
        if cluster is None or there is None or not there.token.startswith("kubernetes:"):
            return None
        return (cluster, rid.rpartition("/")[2]) if cluster.knows(there.inputs) else None

    def _looked_up(self, token: str, rid: str) -> Properties | None:
        """What is on the API server, and nobody made here."""
        cluster = self._real.cluster
        return cluster.read(token, rid) if cluster and token.startswith("kubernetes:") else None

    def _applied(self, cluster: "Cluster", name: str, inputs: Properties, context: grpc.ServicerContext) -> None:
        try:
            cluster.apply(name, inputs)
        except ValueError as refused:
            _abort(context, f"the API server refused it: {refused}")

    def _drift(self, urn: str) -> Properties:
        changed = [properties for part, properties in self._cloud.control().drift.items() if part in urn]
        return {name: value for properties in changed for name, value in properties.items()}

    def _fault(self, op: Op, urn: str, context: grpc.ServicerContext) -> Fault | None:
        fault = self._cloud.fault(op, urn)
        if fault and fault.way is Way.HOLD:
            self._hold(context)
        if fault and fault.way is Way.FAIL:
            _abort(context, fault.message)
        return fault

    def _lose(self, fault: Fault | None, context: grpc.ServicerContext) -> None:
        if fault and fault.way is Way.LOSE:
            self._hold(context)

    def _hold(self, context: grpc.ServicerContext) -> NoReturn:
        """Wait until the engine that called is no more."""
        ended = threading.Event()
        if context.add_callback(ended.set):
            self._cloud.held.set()
            ended.wait(_HOLD_SECONDS)
        _abort(context, "held by the rehearsal")


@contextmanager
def serving(cloud: Cloud, real: Real | None = None) -> Generator[int]:
    """The loopback port on which a provider over this cloud listens."""
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS), options=_LARGE)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(cloud, real or Real()), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


def _place(settings: Mapping[str, Any]) -> Place:
    """Of a provider's settings; lists among them come as JSON."""
    accounts = settings.get("allowedAccountIds") or []
    accounts = json.loads(accounts) if isinstance(accounts, str) else accounts
    account = next(iter(accounts), None) or settings.get("subscriptionId") or settings.get("project") or ""
    return Place(settings.get("region") or settings.get("location") or "", account)


def _token(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _changed(request: Any) -> list[str]:
    old, new = revealed(plain(request.old_inputs)), revealed(plain(request.news))
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def _abort(context: grpc.ServicerContext, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise RuntimeError(message)  # not reached: ``abort`` raises, which its type does not say


def _abort_partial(
    context: grpc.ServicerContext, fault: Fault, rid: str, given: Properties, inputs: Properties
) -> NoReturn:
    """As a provider says that a resource is there and its creation failed: the engine keeps it, as not yet right."""
    detail = proto.ErrorResourceInitFailed(
        id=rid, properties=struct(given), inputs=struct(inputs), reasons=[fault.message]
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=fault.message, details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    _abort(context, fault.message)
