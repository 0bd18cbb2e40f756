"""``python -m runtime.migrations --host H --port N --database D --role R --passfile F``."""

import argparse
import asyncio
import sys
from pathlib import Path

from runtime.migrations import MigrationError, migrate


def main() -> int:
    """0: up to date; 1: not, with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m runtime.migrations")
    for option in ("--host", "--database", "--role"):
        parser.add_argument(option, required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--passfile", required=True, type=Path)
    try:
        asyncio.run(migrate(**vars(parser.parse_args())))
    except MigrationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
