"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Stack = Annotated[str, typer.Option("--stack", "-s", help="The stack, by the name of its file.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        envvar="LOOMSTEAD_STACK_FILE", help="Another stack file than stacks/Pulumi.<stack>.yaml.", dir_okay=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the gateway answered.")]
