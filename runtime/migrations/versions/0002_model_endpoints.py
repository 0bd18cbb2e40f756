"""What is known of model endpoints beside the Manifest."""

from runtime.migrations.script import run_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_beside(__file__)
