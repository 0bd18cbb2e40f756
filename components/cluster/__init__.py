"""Capability ``cluster``: what runs a fabric's processes and gives them addresses."""

PLATFORMS = {"local": "components.cluster.local:LocalCluster"}
