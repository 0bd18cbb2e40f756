"""The one home of names: where a stack's state lies, and what its parts are called. No Pulumi in here."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def stack_home(stack: str) -> Path:
    """Where the state of a stack on this machine lies: ``$LOOMSTEAD_HOME``, else ``.loomstead`` in the repository."""
    return Path(os.environ.get("LOOMSTEAD_HOME") or REPOSITORY / ".loomstead").absolute() / stack


def stack_file(stack: str) -> Path:
    """The stack file: where ``Pulumi.yaml`` says, or ``$LOOMSTEAD_STACK_FILE``.

    Whoever passes ``--config-file`` to the engine, which does not hand it on, sets that variable too.
    """
    if other := os.environ.get("LOOMSTEAD_STACK_FILE"):
        return Path(other)
    return REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml"


def cache_folder() -> Path:
    """What is shared by every checkout: ``$LOOMSTEAD_CACHE``, else ``loomstead`` in the user's cache folder."""
    if own := os.environ.get("LOOMSTEAD_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loomstead"


def weights_file(sha256: str) -> Path:
    """Where the model weights with this hash lie once they were fetched."""
    return cache_folder() / "models" / f"{sha256}.gguf"


def worker_subject(stack: str) -> str:
    """The SPIFFE ID of a stack's worker."""
    return f"spiffe://{stack}.loomstead/worker"


def operator_subject() -> str:
    """The subject of the person who operates a stack on this machine."""
    return "person:operator"


def gcp_issuer(stack: str) -> str:
    """``iss`` of a foundation's tokens on Google Cloud, which is given the key itself and looks no name up."""
    return f"https://issuer.{stack}.loomstead"
