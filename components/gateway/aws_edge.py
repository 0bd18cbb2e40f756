"""Where callers reach the gateway on AWS: an internal load balancer over TLS 1.3, filtered, under a name in the VPC.

From there to the pods it is plain HTTP inside the VPC, between two security groups. Access logs are encrypted by S3's
own key (SSE-S3): load balancers write under no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.alarms import Watched, create_alarm
from components.aws.bucket import BucketArgs, PrivateBucket
from components.aws.documents import Statement
from components.gateway.aws_filter import Filter
from components.gateway.kubernetes_pods import CALL_SECONDS

HTTPS = 443
TLS = "ELBSecurityPolicy-TLS13-1-3-2021-06"
"""TLS 1.3 alone."""
READY = "/readyz"
SLOW_SECONDS = 30.0
MOST_FAILED = 5
_METRICS = "AWS/ApplicationELB"


@dataclass(frozen=True)
class EdgeArgs:
    """``callers``: CIDRs. ``port``: the pods'. ``certificate``: ARN in ACM. ``requests``: of one address in five
    minutes. ``key``: of the filter's log. ``log_days``: how long logs are kept. ``topic``: ARN, told of alarms."""

    stack: str
    region: str
    vpc: Input[str]
    subnets: Input[list[str]]
    runtime_group: Input[str]
    callers: Sequence[str]
    host: str
    certificate: str
    port: int
    requests: int
    key: Input[str]
    log_days: int
    topic: Input[str]


class Edge:
    """``target``: ARN of the target group that the pods register with. All are children of ``parent``."""

    target: Output[str]

    def __init__(self, parent: pulumi.Resource, name: str, args: EdgeArgs) -> None:
        self._parent, self._name, self._args = parent, name, args
        self._child = pulumi.ResourceOptions(parent=parent)
        self._asked = pulumi.InvokeOutputOptions(parent=parent)
        balancer = self._create_balancer(self._create_group())
        target = self._create_target()
        self._create_listener(balancer, target)
        self._create_filter(balancer)
        self._create_name(balancer)
        self._create_alarms(balancer)
        self.target = target.arn

    def _create_group(self) -> aws.ec2.SecurityGroup:
        """Callers reach it by TLS, it reaches the runtime's pods, and nothing else reaches either through it."""
        args = self._args
        what = f"The gateway's load balancer of {args.stack}"
        group = aws.ec2.SecurityGroup(f"{self._name}-group", vpc_id=args.vpc, description=what, opts=self._child)
        for index, block in enumerate(args.callers):
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-from-{index}",
                security_group_id=group.id,
                cidr_ipv4=block,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                description="Callers",
                opts=self._child,
            )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-to-pods",
            security_group_id=group.id,
            referenced_security_group_id=args.runtime_group,
            ip_protocol="tcp",
            from_port=args.port,
            to_port=args.port,
            description="To the gateway's pods",
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-pods-from",
            security_group_id=args.runtime_group,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=args.port,
            to_port=args.port,
            description="From the gateway's load balancer",
            opts=self._child,
        )
        return group

    def _create_balancer(self, group: aws.ec2.SecurityGroup) -> aws.lb.LoadBalancer:
        args = self._args
        kept = PrivateBucket(self._parent, f"{self._name}-logs", BucketArgs(None, args.log_days, allowed=self._writer))
        return aws.lb.LoadBalancer(
            f"{self._name}-balancer",
            name=args.stack,
            load_balancer_type="application",
            internal=True,
            ip_address_type="ipv4",
            subnets=args.subnets,
            security_groups=[group.id],
            enable_deletion_protection=True,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            preserve_host_header=True,
            xff_header_processing_mode="append",
            idle_timeout=CALL_SECONDS,
            enable_waf_fail_open=False,
            access_logs={"bucket": kept.bucket.id, "enabled": True},
            opts=pulumi.ResourceOptions(parent=self._parent, protect=True, depends_on=[kept.policy]),
        )

    def _writer(self, bucket: Output[str]) -> list[Statement]:
        account = aws.get_caller_identity_output(opts=self._asked).account_id
        partition = aws.get_partition_output(opts=self._asked).partition
        service = aws.get_service_principal_output(
            service_name="logdelivery.elasticloadbalancing", opts=self._asked
        ).name
        balancers = "arn:{0}:elasticloadbalancing:{1}:{2}:loadbalancer/*"
        return [
            {
                "Sid": "LoadBalancerWrites",
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "s3:PutObject",
                "Resource": Output.format("{0}/AWSLogs/{1}/*", bucket, account),
                "Condition": {
                    "ArnLike": {"aws:SourceArn": Output.format(balancers, partition, self._args.region, account)}
                },
            }
        ]

    def _create_target(self) -> aws.lb.TargetGroup:
        args = self._args
        return aws.lb.TargetGroup(
            f"{self._name}-target",
            name=args.stack,
            vpc_id=args.vpc,
            target_type="ip",
            protocol="HTTP",
            port=args.port,
            deregistration_delay=CALL_SECONDS,
            load_balancing_algorithm_type="least_outstanding_requests",
            health_check={
                "path": READY,
                "protocol": "HTTP",
                "matcher": "200",
                "interval": 10,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 2,
            },
            opts=self._child,
        )

    def _create_listener(self, balancer: aws.lb.LoadBalancer, target: aws.lb.TargetGroup) -> None:
        """Answers for its host alone; another name gets nothing."""
        listener = aws.lb.Listener(
            f"{self._name}-listener",
            load_balancer_arn=balancer.arn,
            port=HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS,
            certificate_arn=self._args.certificate,
            routing_http_response_server_enabled=False,
            default_actions=[
                {
                    "type": "fixed-response",
                    "fixed_response": {"content_type": "text/plain", "status_code": "421", "message_body": ""},
                }
            ],
            opts=self._child,
        )
        aws.lb.ListenerRule(
            f"{self._name}-host",
            listener_arn=listener.arn,
            priority=1,
            conditions=[{"host_header": {"values": [self._args.host]}}],
            actions=[{"type": "forward", "target_group_arn": target.arn}],
            opts=self._child,
        )

    def _create_filter(self, balancer: aws.lb.LoadBalancer) -> None:
        args = self._args
        found = Filter(self._parent, f"{self._name}-filter", args.stack, args.requests, args.key, args.log_days)
        aws.wafv2.WebAclAssociation(
            f"{self._name}-filtered", resource_arn=balancer.arn, web_acl_arn=found.acl, opts=self._child
        )

    def _create_name(self, balancer: aws.lb.LoadBalancer) -> None:
        """A zone of this one name, so that it hides no other of its domain in the VPC."""
        args = self._args
        zone = aws.route53.Zone(
            f"{self._name}-zone",
            name=args.host,
            comment=f"The gateway of {args.stack}",
            vpcs=[{"vpc_id": args.vpc, "vpc_region": args.region}],
            opts=self._child,
        )
        alias: aws.route53.RecordAliasArgsDict = {
            "name": balancer.dns_name,
            "zone_id": balancer.zone_id,
            "evaluate_target_health": False,
        }
        aws.route53.Record(
            f"{self._name}-name", zone_id=zone.zone_id, name=args.host, type="A", aliases=[alias], opts=self._child
        )

    def _create_alarms(self, balancer: aws.lb.LoadBalancer) -> None:
        at, of = {"LoadBalancer": balancer.arn_suffix}, f"The gateway of {self._args.stack}"
        failed = f"{of}: more than {MOST_FAILED} answers 5xx"
        alarms = {
            "failed": Watched(failed, _METRICS, "HTTPCode_Target_5XX_Count", "Sum", MOST_FAILED, at),
            "unreachable": Watched(failed, _METRICS, "HTTPCode_ELB_5XX_Count", "Sum", MOST_FAILED, at),
            "slow": Watched(
                f"{of}: one call in a hundred takes {SLOW_SECONDS:g} s",
                _METRICS,
                "TargetResponseTime",
                "p99",
                SLOW_SECONDS,
                at,
            ),
        }
        for role, alarm in alarms.items():
            create_alarm(self._parent, f"{self._name}-{role}", alarm, self._args.topic)
