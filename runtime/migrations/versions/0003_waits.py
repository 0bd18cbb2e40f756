"""What answers an orchestrator that waits by a token."""

from runtime.migrations.script import run_beside

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_beside(__file__)
