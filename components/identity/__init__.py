"""Capability ``identity``: who issues tokens in a fabric, and who may ask for one."""

PLATFORMS = {"local": "components.identity.local:LocalIdentity"}
