"""Capability ``keys``: what a fabric signs, encrypts and authenticates with."""

PLATFORMS = {
    "aws": "components.keys.aws:AwsKeys",
    "gcp": "components.keys.gcp:GcpKeys",
    "local": "components.keys.local:LocalKeys",
}
