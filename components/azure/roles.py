"""Rights on Azure: one built-in role, for one identity, on one resource."""

import pulumi
from pulumi import Input
from pulumi_azure_native import authorization


def create_role(
    name: str, subscription: str, role: str, principal: Input[str], scope: Input[str], opts: pulumi.ResourceOptions
) -> authorization.RoleAssignment:
    """``role``: id of the built-in one. ``principal``: the identity's object id. ``scope``: id of the resource."""
    return authorization.RoleAssignment(
        name,
        principal_id=principal,
        principal_type="ServicePrincipal",
        role_definition_id=f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        scope=scope,
        opts=opts,
    )
