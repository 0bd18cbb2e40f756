"""The thin runtime: what was promised at deploy time, enforced at every call. No Pulumi, no components."""
