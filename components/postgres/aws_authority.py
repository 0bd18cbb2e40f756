"""Who answers for RDS's certificates in a region: the authority that the runtime verifies its sessions by."""

import re
from pathlib import Path

from components.infrastructure import Refused

IDENTIFIER = "rds-ca-rsa2048-g1"
"""What RDS calls it; instances are made with it, whatever an account's default is."""
_KNOWN = Path(__file__).with_name("rds_authorities.pem")


def authority(region: str, own: Path | None) -> str:
    """PEM. ``own``: a file with it, for a region that is not known here; raises ``Refused``."""
    if own is not None:
        try:
            return own.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise Refused(f"postgres.authority: {own} cannot be read as PEM: {error}") from error
    certificate = re.search(
        rf"^{re.escape(region)}\n(-----BEGIN.+?-----END CERTIFICATE-----\n)", _KNOWN.read_text(), re.M | re.S
    )
    if certificate is None:
        raise Refused(
            f"postgres.authority: RDS's authority in {region} is not known here: "
            "give the file of the region's bundle, which AWS publishes (RDS User Guide, Using SSL/TLS)"
        )
    return certificate[1]
