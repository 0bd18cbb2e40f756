"""The demo's core system: a small order system of a logistics company, REST with an OpenAPI document.

It stands for a system that exists already, so it trusts the gateway as little as any other caller: each request needs
a token for exactly this system and operation, and each write an Idempotency-Key.
"""
