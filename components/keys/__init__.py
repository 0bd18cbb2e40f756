"""Capability ``keys``: what a fabric signs, encrypts and authenticates with."""

PLATFORMS = {"local": "components.keys.local:LocalKeys"}
