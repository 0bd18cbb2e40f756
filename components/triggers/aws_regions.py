"""Regions in which Amazon SES receives mail, as far as a source says so. No Pulumi."""

from components.infrastructure import Refused

RECEIVES_MAIL = frozenset(
    {
        *("us-east-1", "us-east-2", "us-west-2", "ca-central-1"),
        *("eu-central-1", "eu-west-1", "eu-west-2"),
        *("ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3"),
    }
)
"""AWS General Reference, Amazon SES endpoints, "Email receiving endpoints", as copied in January 2024: AWS may have
added others since, and none is known that it took away."""


def check_mail(region: str) -> None:
    """Raises ``Refused`` where no source says that SES receives mail."""
    if region not in RECEIVES_MAIL:
        raise Refused(
            f"triggers.mail: no source says that Amazon SES receives mail in {region}; let a mailbox in the Boundary "
            f"forward it to the gateway's webhook, or take one of {', '.join(sorted(RECEIVES_MAIL))}"
        )
