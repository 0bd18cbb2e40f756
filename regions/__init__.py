"""Where data may rest, run, be logged, backed up, and under whose keys: facts, the Boundary, the Manifest.

Standard library, pydantic, yaml and two small codecs (rfc8785, joserfc in ``signature``); no Pulumi, no HTTP.
"""
