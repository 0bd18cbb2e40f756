"""``python -m scripts.engine --export``: shell lines after which plain ``pulumi`` works (``. scripts/env``)."""

import argparse
import shlex
import sys

from components.naming import stack_home
from scripts.engine import EngineError, ensure_engine, environment
from scripts.progress import progress


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.engine", description=ensure_engine.__doc__)
    parser.add_argument("--export", action="store_true", help="print the variables as shell lines")
    arguments = parser.parse_args()
    try:
        with progress() as report:
            engine = ensure_engine(report)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.export:
        for name, value in environment(engine, stack_home("local").parent).items():
            print(f"export {name}={shlex.quote(value)}")
    else:
        print(f"{engine.bin_dir / 'pulumi'} {engine.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
