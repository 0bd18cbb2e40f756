"""Whether the platform's fabric could be made of a reviewed stack file: what `pulumi up` would refuse, asked before.

Files that only a deployer has are stood in for: the kubeconfig of a cluster, the authority of a database.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import date
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from components.fabrics import check_installed
from components.infrastructure import Refused
from components.parity import NotSupported
from components.publish import Ground
from components.review import review_read
from components.spec import FabricSpec, Platform
from regions.catalogue import Catalogue


def not_installed(platform: Platform) -> str:
    """What of the platform's SDK is not, and how it comes; empty where all of it is."""
    try:
        check_installed(platform)
    except Refused as lacking:
        return str(lacking)
    return ""


def refused(fabric: Mapping[str, Any], spec: FabricSpec, stack: str, catalogue: Catalogue, today: date) -> list[str]:
    """One line a cause. ``spec``: what review read of ``fabric``. Loads the platform's SDK."""
    check = import_module("components.fabric")
    with _standing_in(fabric, spec) as whole:
        found = review_read(Path(f"Pulumi.{stack}.yaml"), whole, stack, catalogue, today)
        if found.spec is None or found.boundary is None:
            raise ValueError(f"{stack}: what stands in for the deployer's files is malformed")
        try:
            check.check(Ground(stack, found.spec, found.boundary, catalogue))
        except (Refused, NotSupported, check.Incomplete) as against:
            return str(against).splitlines()
    return []


@contextmanager
def _standing_in(fabric: Mapping[str, Any], spec: FabricSpec) -> Generator[dict[str, Any]]:
    shipped = import_module("scripts.rehearsal.shipped")
    whole, before = deepcopy(dict(fabric)), os.environ.get("KUBECONFIG")
    with TemporaryDirectory(prefix="loomstead-stack-") as folder:
        shipped.bring(whole, spec, Path(folder))
        os.environ.update(shipped.kubeconfig(Path(folder, "kubeconfig"), spec))
        try:
            yield whole
        finally:
            os.environ.pop("KUBECONFIG", None)
            if before is not None:
                os.environ["KUBECONFIG"] = before
