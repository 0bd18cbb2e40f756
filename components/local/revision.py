"""Which code runs: a process is restarted when its source changes."""

import hashlib

from components.naming import REPOSITORY


def source_revision(*packages: str) -> str:
    """Digest of every file of these packages, byte code apart."""
    sources = hashlib.sha256()
    files = (path for package in packages for path in (REPOSITORY / package).rglob("*"))
    for path in sorted(files):
        if path.is_file() and "__pycache__" not in path.parts:
            sources.update(f"{path.relative_to(REPOSITORY)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return sources.hexdigest()
