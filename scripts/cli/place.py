"""Which fabric a command is about: the stack, where its state lies, and its Manifest."""

import json
from dataclasses import dataclass
from pathlib import Path

from components.loading import load_spec
from components.naming import stack_file, stack_home
from components.spec import Platform
from regions.manifest import Manifest
from regions.signature import SignatureError, verify_manifest
from scripts.cli.failure import CommandError

DEFAULT_STACK = "local"


@dataclass(frozen=True)
class Place:
    """``folder``: the stack's state. ``stack_file``: what it is raised from."""

    stack: str
    folder: Path
    stack_file: Path

    @classmethod
    def of(cls, stack: str, config_file: Path | None = None) -> "Place":
        """Raises ``CommandError`` where no stack file has that name."""
        file = config_file or stack_file(stack)
        if not file.is_file():
            known = sorted(path.stem.removeprefix("Pulumi.") for path in file.parent.glob("Pulumi.*.yaml"))
            raise CommandError(
                f"There is no stack {stack!r}: {file} is not there. "
                + (f"Stacks here: {', '.join(known)}." if known else "Give one with --config-file.")
            )
        return cls(stack, stack_home(stack), file.absolute())

    @classmethod
    def local(cls, stack: str) -> "Place":
        """Of a stack on this machine. Raises ``CommandError`` for one elsewhere, ``SpecError`` for a wrong file."""
        place = cls.of(stack)
        platform = load_spec(place.stack_file).platform
        if platform is not Platform.LOCAL:
            raise CommandError(
                f"Stack {stack!r} is on {platform}, and this command reaches processes and databases of this machine "
                "alone. What shows them there are that platform's own tools."
            )
        return place

    @property
    def home(self) -> Path:
        """``$LOOMSTEAD_HOME``."""
        return self.folder.parent

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def option(self) -> str:
        """What a further command about this stack needs on its line."""
        return "" if self.stack == DEFAULT_STACK else f" -s {self.stack}"

    def manifest(self) -> Manifest:
        """The stack's Manifest, verified with the deployer's public key; raises ``CommandError``."""
        path = self.folder / "manifest.json"
        try:
            key = json.loads((self.secrets / "manifest.public.jwk").read_bytes())
            return verify_manifest(json.loads(path.read_bytes()), key)
        except FileNotFoundError as missing:
            raise CommandError(
                f"Stack {self.stack!r} is not up, or not wholly: there is no {missing.filename}. "
                f"`loomstead up{self.option}` raises it; one that stands elsewhere: `loomstead manifest{self.option}`."
            ) from None
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}. Whose stack is it?") from None
        except (SignatureError, ValueError) as error:
            raise CommandError(f"{path}: {error}. `loomstead up{self.option}` writes it anew.") from error
