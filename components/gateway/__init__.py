"""Capability ``gateway``: the runtime, that is the gateway and the worker that acts through it."""

PLATFORMS = {"local": "components.gateway.local:LocalGateway"}
