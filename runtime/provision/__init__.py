"""What a cluster needs before its gateway starts and no Pulumi may know: secrets, database roles, tables.

A Job runs it, as often as it likes and beside another: it makes what is missing and nothing else.

    secrets        what is drawn, where it is kept, and the one Kubernetes Secret that pods mount
    access         roles, databases and schemas, on every platform
    administrator  who may make those on a cloud
    documents      the issuer's public documents at a static address
"""


class ProvisionError(Exception):
    """Something could not be made; the message says what, where, and what to do. It holds no secret."""
