"""How a version runs its SQL file."""

from pathlib import Path
from typing import Any

from alembic import op


def run_beside(revision: str) -> None:
    """Execute the ``.sql`` file beside the revision's module: many statements, so the driver takes it whole."""
    statements = Path(revision).with_suffix(".sql").read_text()
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda driver: driver.execute(statements))
