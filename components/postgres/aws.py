"""PostgreSQL on AWS: RDS in several zones, and a replica that only the agents' tools reach.

The replica is a boundary: subnets and a security group of its own, which lets in the tool executors alone, while the
primary's lets in the runtime alone. Every session is encrypted, and roles may sign in by IAM. How many sessions
``agent_reader`` may have is a limit of that role: a standby that allows fewer than its primary does not start.
"""

from datetime import UTC, datetime
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import trusting
from components.infrastructure import Refused
from components.postgres.aws_authority import IDENTIFIER as AUTHORITY
from components.postgres.aws_sizes import Size, sized
from components.postgres.contract import Postgres

DATABASE = "loomstead"
PORT = 5432

MONITORED_SECONDS = 30
INSIGHTS_DAYS = 7


class AwsPostgresArgs(TypedDict):
    """``vpc``, ``primary``, ``replica`` (subnets), ``runtime_group``, ``tools_group``: the network's outputs.

    ``key``: ARN of the key that encrypts all of it. ``statement_timeout_ms``: the longest that a read of an agent may
    take. ``log_days``: how long logs are kept, one of the numbers CloudWatch takes. ``version``: of PostgreSQL, as RDS
    names it (18 since November 2025). ``boundary``: ARN of the policy that bounds the role. The others say what is
    otherwise the ``size``'s.
    """

    stack: str
    vpc: Input[str]
    primary: Input[list[str]]
    replica: Input[list[str]]
    runtime_group: Input[str]
    tools_group: Input[str]
    key: Input[str]
    size: str
    statement_timeout_ms: int
    backup_days: int
    log_days: int
    version: NotRequired[str]
    primary_class: NotRequired[str]
    replica_class: NotRequired[str]
    storage_gib: NotRequired[int]
    most_storage_gib: NotRequired[int]
    boundary: NotRequired[Input[str]]


class AwsPostgres(Postgres):
    """``primary_resource``, ``replica_resource``: their ids in IAM policies that say who may sign in.

    ``primary_arn``: in policies and plans that say who may change or back it up.
    """

    primary_arn: Output[str]
    primary_group: Output[str]
    primary_resource: Output[str]
    replica_resource: Output[str]

    def __init__(self, name: str, args: AwsPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self._size = name, args, _checked(args)
        self._engine = args.get("version", "18")
        self._child = pulumi.ResourceOptions(parent=self)
        self._asked = pulumi.InvokeOutputOptions(parent=self)
        self._monitoring = self._create_monitoring()
        primary = self._create_primary()
        replica = self._create_replica(primary)
        self.primary_host, self.primary_port, self.primary_resource = primary.address, primary.port, primary.resource_id
        self.replica_host, self.replica_port, self.replica_resource = replica.address, replica.port, replica.resource_id
        self.primary_arn = primary.arn
        self.database = Output.from_input(DATABASE)
        self.register_outputs(
            {
                "primary_host": self.primary_host,
                "primary_port": self.primary_port,
                "primary_resource": self.primary_resource,
                "primary_arn": self.primary_arn,
                "primary_group": self.primary_group,
                "replica_host": self.replica_host,
                "replica_port": self.replica_port,
                "replica_resource": self.replica_resource,
                "database": self.database,
            }
        )

    def _create_primary(self) -> aws.rds.Instance:
        args, size = self._args, self._size
        self.primary_group = self._create_group("primary", args["runtime_group"], "the runtime").id
        drawn = aws.secretsmanager.get_random_password_output(
            password_length=48, exclude_punctuation=True, opts=self._asked
        )
        return aws.rds.Instance(
            f"{self._name}-primary",
            identifier=f"{args['stack']}-primary",
            engine="postgres",
            engine_version=self._engine,
            instance_class=args.get("primary_class", size.primary),
            ca_cert_identifier=AUTHORITY,
            multi_az=True,
            storage_type="gp3",
            allocated_storage=args.get("storage_gib", size.storage),
            max_allocated_storage=args.get("most_storage_gib", size.most),
            storage_encrypted=True,
            kms_key_id=args["key"],
            db_name=DATABASE,
            username="postgres",
            # RDS makes no replica of an instance whose master password it manages itself. This one stays in the
            # engine's state, as ciphertext (ADR 12): who needs the master sets another one.
            password_wo=Output.secret(drawn.random_password),
            password_wo_version=1,
            port=PORT,
            iam_database_authentication_enabled=True,
            db_subnet_group_name=self._create_subnets("primary", args["primary"]).name,
            vpc_security_group_ids=[self.primary_group],
            publicly_accessible=False,
            parameter_group_name=self._create_parameters("primary", {}).name,
            backup_retention_period=args["backup_days"],
            backup_target="region",
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            skip_final_snapshot=False,
            # Of when it was made: an earlier primary of this stack may have left a snapshot.
            final_snapshot_identifier=f"{args['stack']}-final-{datetime.now(UTC):%Y%m%d%H%M%S}",
            deletion_protection=True,
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args["key"],
            performance_insights_retention_period=INSIGHTS_DAYS,
            monitoring_interval=MONITORED_SECONDS,
            monitoring_role_arn=self._monitoring.arn,
            opts=self._data(
                self._create_logs("primary", "postgresql", "upgrade"),
                ignore_changes=["password_wo", "final_snapshot_identifier"],
            ),
        )

    def _create_replica(self, primary: aws.rds.Instance) -> aws.rds.Instance:
        """Encrypted by its source's key, which RDS lets nobody name again in the same region.

        That it is encrypted is said though it follows: left out, the provider takes it for a change from what it finds,
        and replaces the replica at every later update (hashicorp/terraform-provider-aws#34434).
        """
        args = self._args
        limits = {
            "statement_timeout": args["statement_timeout_ms"],
            "idle_in_transaction_session_timeout": args["statement_timeout_ms"],
            "default_transaction_read_only": 1,
            "hot_standby_feedback": 1,  # reads are not cancelled; vacuum waits for the longest of them
            "max_standby_streaming_delay": args["statement_timeout_ms"],
        }
        return aws.rds.Instance(
            f"{self._name}-replica",
            identifier=f"{args['stack']}-replica",
            replicate_source_db=primary.arn,  # by its identifier RDS takes no subnets other than the source's
            instance_class=args.get("replica_class", self._size.replica),
            ca_cert_identifier=AUTHORITY,
            storage_type="gp3",
            storage_encrypted=True,
            max_allocated_storage=args.get("most_storage_gib", self._size.most),
            port=PORT,
            iam_database_authentication_enabled=True,
            db_subnet_group_name=self._create_subnets("replica", args["replica"]).name,
            vpc_security_group_ids=[self._create_group("replica", args["tools_group"], "the tool executors").id],
            publicly_accessible=False,
            parameter_group_name=self._create_parameters("replica", limits).name,
            backup_retention_period=0,
            copy_tags_to_snapshot=True,
            skip_final_snapshot=True,  # a replica cannot have one, though the provider would ask for it
            deletion_protection=True,
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args["key"],
            performance_insights_retention_period=INSIGHTS_DAYS,
            monitoring_interval=MONITORED_SECONDS,
            monitoring_role_arn=self._monitoring.arn,
            opts=self._data(self._create_logs("replica", "postgresql", "upgrade")),
        )

    def _create_subnets(self, role: str, subnets: Input[list[str]]) -> aws.rds.SubnetGroup:
        return aws.rds.SubnetGroup(
            f"{self._name}-{role}-subnets",
            name=f"{self._args['stack']}-{role}",
            description=f"Where the {role} of {self._args['stack']} stands",
            subnet_ids=subnets,
            opts=self._child,
        )

    def _create_group(self, role: str, caller: Input[str], called: str) -> aws.ec2.SecurityGroup:
        """Lets in ``caller`` alone, and nothing out."""
        group = aws.ec2.SecurityGroup(
            f"{self._name}-{role}-group",
            vpc_id=self._args["vpc"],
            description=f"The {role} of {self._args['stack']}, for {called}",
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-{role}-from",
            security_group_id=group.id,
            referenced_security_group_id=caller,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            description=f"PostgreSQL, from {called}",
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{role}-to",
            security_group_id=caller,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            description=f"PostgreSQL, to the {role}",
            opts=self._child,
        )
        return group

    def _create_parameters(self, role: str, more: dict[str, int]) -> aws.rds.ParameterGroup:
        # Statements and error details hold values, and values may be personal data.
        silent = {"log_min_error_statement": "panic", "log_error_verbosity": "terse"}
        parameters = {"rds.force_ssl": 1, **silent, **more}
        return aws.rds.ParameterGroup(
            f"{self._name}-{role}-parameters",
            family=f"postgres{self._engine.partition('.')[0]}",
            description=f"Settings of the {role} of {self._args['stack']}",
            parameters=[
                {"name": name, "value": str(value), "apply_method": "immediate"} for name, value in parameters.items()
            ],
            opts=self._child,
        )

    def _create_logs(self, role: str, *kinds: str) -> list[pulumi.Resource]:
        """Made before RDS would: what it makes is kept for ever, without a key."""
        return [
            aws.cloudwatch.LogGroup(
                f"{self._name}-{role}-{kind}-log",
                name=f"/aws/rds/instance/{self._args['stack']}-{role}/{kind}",
                retention_in_days=self._args["log_days"],
                kms_key_id=self._args["key"],
                opts=self._child,
            )
            for kind in kinds
        ]

    def _create_monitoring(self) -> aws.iam.Role:
        service = aws.get_service_principal_output(service_name="monitoring.rds", opts=self._asked).name
        account = aws.get_caller_identity_output(opts=self._asked).account_id
        role = aws.iam.Role(
            f"{self._name}-monitoring",
            assume_role_policy=trusting(service, account),
            permissions_boundary=self._args.get("boundary"),
            opts=self._child,
        )
        partition = aws.get_partition_output(opts=self._asked).partition
        aws.iam.RolePolicyAttachment(
            f"{self._name}-monitoring-policy",
            role=role.name,
            policy_arn=Output.format("arn:{0}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole", partition),
            opts=self._child,
        )
        return role

    def _data(self, after: list[pulumi.Resource], ignore_changes: list[str] | None = None) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self, protect=True, retain_on_delete=True, depends_on=after, ignore_changes=ignore_changes
        )


def _checked(args: AwsPostgresArgs) -> Size:
    given = {"machine": args.get("primary_class"), "replica_machine": args.get("replica_class")}
    machines = {key: name for key, name in given.items() if name is not None}
    size = sized(args["size"], machines, args.get("storage_gib"), args.get("most_storage_gib"))
    if not 1 <= args["backup_days"] <= 35:
        raise Refused(
            f"postgres.backup_days: {args['backup_days']} is none of 1 to 35; without backups RDS makes no replica"
        )
    if args["statement_timeout_ms"] < 1:
        raise Refused(
            f"postgres: statement_timeout_ms {args['statement_timeout_ms']}: expected 1 at least; "
            "PostgreSQL takes 0 for no limit"
        )
    return size
