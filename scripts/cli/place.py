"""Which fabric a command is about: the stack, where its state lies, and its Manifest."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from regions.manifest import Manifest
from regions.signature import SignatureError, verify_manifest

REPOSITORY = Path(__file__).parents[2]


class CommandError(Exception):
    """A command cannot go on; the message says what, where, and what to do."""


@dataclass(frozen=True)
class Place:
    """``home``: ``$LOOMSTEAD_HOME``, else ``.loomstead`` in the repository. ``stack``: its name."""

    home: Path
    stack: str

    @classmethod
    def of(cls, stack: str) -> "Place":
        return cls(Path(os.environ.get("LOOMSTEAD_HOME") or REPOSITORY / ".loomstead").absolute(), stack)

    @property
    def folder(self) -> Path:
        return self.home / self.stack

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def stack_file(self) -> Path:
        return REPOSITORY / "stacks" / f"Pulumi.{self.stack}.yaml"

    def manifest(self) -> Manifest:
        """The stack's Manifest, verified with the deployer's key; raises ``CommandError``."""
        try:
            document = json.loads((self.folder / "manifest.json").read_bytes())
            key = json.loads((self.secrets / "manifest.jwk").read_bytes())
            return verify_manifest(document, key)
        except FileNotFoundError as missing:
            raise CommandError(
                f"Stack {self.stack!r} is not up: there is no {missing.filename}. "
                f"`loomstead up -s {self.stack}` raises it."
            ) from None
        except (SignatureError, ValueError) as error:
            raise CommandError(
                f"{self.folder / 'manifest.json'}: {error}. `loomstead up -s {self.stack}` writes it anew."
            ) from error
