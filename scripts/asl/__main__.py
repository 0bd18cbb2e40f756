"""``python -m scripts.asl``: makes asl-validator for the tests, and says where it is."""

import sys

from scripts.asl import ensure_validator
from scripts.command import StepFailed
from scripts.progress import progress


def main() -> int:
    try:
        with progress() as report:
            print(ensure_validator(report))
    except StepFailed as failure:
        print(f"No asl-validator: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
