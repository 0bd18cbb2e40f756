"""The resources that a stack's program registers, raised on the real engine in a pretend cloud, without credentials.

Raised and not only previewed: what a resource has from another is known then, and the rules need not refuse it.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from components.review import StackReview, located
from components.spec import Platform
from scripts.command import StepFailed
from scripts.engine import Engine
from scripts.graph import Graph, read, root_of
from scripts.rehearsal.cloud import Cloud, Recorded
from scripts.rehearsal.provider import Real, serving
from scripts.rehearsal.shipped import plan_of, standing
from scripts.rehearsal.stack import Stack


def planned(reviewed: StackReview, engine: Engine) -> Graph:
    """Raises ``StepFailed`` where the program or the engine refuses."""
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="loomstead-plan-")))
        plan = held.enter_context(plan_of(reviewed.stack, None, Path(reviewed.file)))
        real, signs = Real(), {}
        if plan.signing:
            real, signs = _signer(held)
        cloud = Cloud(folder)
        cloud.tell(plan.control)
        for each in _declared(reviewed):
            cloud.put(each)
        port = held.enter_context(serving(cloud, real))
        environment = {**signs, **plan.environment}
        stack = Stack(plan.project, plan.stack, engine, folder / "stack", plan.packages, port, environment)
        stack.configure(plan.config)
        outcome = stack.run("up")
        if not outcome.ok:
            raise StepFailed(located(outcome.said, Path(reviewed.file)))
        exported = folder / "export.json"
        exported.write_text(stack.state())
        return Graph(tuple(read(exported, plan.stack)), root_of(reviewed))


def _declared(reviewed: StackReview) -> Iterator[Recorded]:
    """What a stack looks up on its cluster: there is no API server here that would have it."""
    if reviewed.spec and reviewed.spec.platform is Platform.KUBERNETES:
        for each in standing(reviewed.spec):
            token = f"kubernetes:{each['apiVersion']}:{each['kind']}"
            token = token.replace("kubernetes:v1:", "kubernetes:core/v1:")
            yield Recorded(token, each["metadata"]["name"], "", dict(each), dict(each))


def _signer(held: ExitStack) -> tuple[Real, Mapping[str, str]]:
    """AWS's KMS, which signs the Manifest."""
    from scripts.rehearsal.kms import kms  # noqa: PLC0415  moto loads for a second

    signer = held.enter_context(kms())
    return Real(kms=signer), signer.environment
