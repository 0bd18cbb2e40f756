"""Capability ``core_system``: a system of record that the fabric hosts itself (others are given by their URL)."""

PLATFORMS = {"local": "components.core_system.local:LocalCoreSystem"}
