"""A cache on AWS: ElastiCache for Valkey in several zones, for counters that may be lost.

Sessions are encrypted, and whoever opens one signs in by IAM: there is no password. It keeps no snapshot.
"""

import re
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.door import create_door
from components.aws.logs import checked_days, create_log_group
from components.cache.aws_sizes import SIZES, Size, checked_machine
from components.cache.contract import Cache
from components.infrastructure import Refused

PORT = 6379
VERSION = "8.0"
_LONGEST = 40 - len("-runtime")
"""ElastiCache takes 40 characters for a user's id."""


class AwsCacheArgs(TypedDict):
    """``vpc``, ``subnets`` (the workloads'), ``runtime_group``: the network's outputs; only that group reaches it.

    ``key``: ARN of what encrypts it and its logs. ``log_days``: how long those are kept. ``size``: of ``SIZES``;
    ``machine``: otherwise the size's.
    """

    stack: str
    vpc: Input[str]
    subnets: Input[list[str]]
    runtime_group: Input[str]
    key: Input[str]
    size: str
    log_days: int
    machine: NotRequired[str]


class AwsCache(Cache):
    """``user``: who signs in. ``connectable``: ARNs on which its bearer needs ``elasticache:Connect``, all of them."""

    user: Output[str]
    connectable: Output[list[str]]

    def __init__(self, name: str, args: AwsCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        user, users = self._create_users()
        group = self._create_group(users)
        self.host, self.port = group.primary_endpoint_address, Output.from_input(PORT)
        self.user, self.connectable = user.user_name, Output.all(group.arn, user.arn)
        self.register_outputs(
            {"host": self.host, "port": self.port, "user": self.user, "connectable": self.connectable}
        )

    def _create_users(self) -> tuple[aws.elasticache.User, aws.elasticache.UserGroup]:
        """One user, and no default one, which Valkey does not ask for: who is not named cannot sign in."""
        called = f"{self._args['stack']}-runtime"
        user = aws.elasticache.User(
            f"{self._name}-user",
            engine="valkey",
            user_id=called,
            user_name=called,  # IAM wants both equal
            authentication_mode={"type": "iam"},
            access_string="on ~* +@all -@admin -@dangerous",
            opts=self._child,
        )
        users = aws.elasticache.UserGroup(
            f"{self._name}-users",
            engine="valkey",
            user_group_id=self._args["stack"],
            user_ids=[user.user_id],
            opts=self._child,
        )
        return user, users

    def _create_group(self, users: aws.elasticache.UserGroup) -> aws.elasticache.ReplicationGroup:
        args, size = self._args, self._size
        door = create_door(
            self, f"{self._name}-door", args["vpc"], args["runtime_group"], PORT, f"the cache of {args['stack']}"
        )
        subnets = aws.elasticache.SubnetGroup(
            f"{self._name}-subnets",
            name=args["stack"],
            description=f"Where the cache of {args['stack']} stands",
            subnet_ids=args["subnets"],
            opts=self._child,
        )
        return aws.elasticache.ReplicationGroup(
            f"{self._name}-valkey",
            replication_group_id=args["stack"],
            description=f"Counters of {args['stack']}, which may be lost",
            engine="valkey",
            engine_version=VERSION,
            node_type=args.get("machine", size.machine),
            num_cache_clusters=size.nodes,
            cluster_mode="disabled",
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            at_rest_encryption_enabled=True,
            kms_key_id=args["key"],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            user_group_ids=[users.user_group_id],
            subnet_group_name=subnets.name,
            security_group_ids=[door.id],
            port=PORT,
            snapshot_retention_limit=0,
            auto_minor_version_upgrade=True,
            log_delivery_configurations=[self._log("slow"), self._log("engine")],
            opts=self._child,
        )

    def _log(self, kind: str) -> aws.elasticache.ReplicationGroupLogDeliveryConfigurationArgsDict:
        args = self._args
        called = f"/loomstead/{args['stack']}/cache-{kind}"
        group = create_log_group(self, f"{self._name}-{kind}-log", called, args["key"], args["log_days"])
        return {
            "destination": group.name,
            "destination_type": "cloudwatch-logs",
            "log_format": "json",
            "log_type": f"{kind}-log",
        }


def _checked(args: AwsCacheArgs) -> Size:
    size = SIZES.get(args["size"])
    if size is None:
        raise Refused(f"cache: no size {args['size']!r}; sizes are {', '.join(SIZES)}")
    if not re.fullmatch(rf"[a-z][a-z0-9-]{{0,{_LONGEST - 1}}}", args["stack"]):
        raise Refused(
            f"cache: {args['stack']!r} cannot name a cache; "
            f"take a stack's name of at most {_LONGEST} small letters, digits and dashes"
        )
    checked_machine(args.get("machine", size.machine))
    checked_days(args["log_days"])
    return size
