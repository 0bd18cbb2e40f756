"""Capability ``network``: who reaches whom, and the only ways out."""

PLATFORMS: dict[str, str] = {}
