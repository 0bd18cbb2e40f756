"""A stack's whole life on the real Pulumi engine, against recording providers instead of a cloud: docs/rehearsal.md."""
