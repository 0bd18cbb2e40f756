"""Capability ``model_host``: a model server that the fabric runs itself."""

PLATFORMS = {"local": "components.model_host.local:LocalModelHost"}
