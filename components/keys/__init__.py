"""Capability ``keys``: what a fabric signs, encrypts and authenticates with."""

PLATFORMS = {"aws": "components.keys.aws:AwsKeys", "local": "components.keys.local:LocalKeys"}
