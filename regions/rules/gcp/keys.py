"""Secrets, keys and parameters on Google Cloud."""

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import exists, within
from regions.rules.rule import Clause, ResourceRule

RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="G03",
        title="Secret replicated outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:secretmanager/secret:Secret",),
        trap="replication.auto copies the secret wherever Google likes",
        remedy="replication.userManaged with replicas inside the Boundary, or a RegionalSecret",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause(
                "replication.userManaged.replicas[].location",
                within(Purpose.REST, unset="it is replicated automatically, without any restriction"),
            ),
        ),
    ),
    ResourceRule(
        id="G15",
        title="Keys held outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:kms/keyRing:KeyRing",),
        trap="global and multi-region key rings hold keys in several countries",
        remedy="set location to a single region inside the Boundary",
        source="pulumi-gcp 10.2.0",
        clauses=(Clause("location", within(Purpose.KEYS, unset="its location is not said")),),
    ),
    ResourceRule(
        id="G28",
        title="Screening or parameters outside the Boundary",
        severity=Severity.WARN,
        types=("gcp:modelarmor/template:Template", "gcp:parametermanager/parameter:Parameter"),
        trap="a template screens prompts where it stands, and a parameter without region is global",
        remedy="a template in a region inside the Boundary, a RegionalParameter",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause(
                "location",
                within(Purpose.PROCESS, unset="its location is not said"),
                types=("gcp:modelarmor/template:Template",),
            ),
            Clause(
                "",
                exists("it is global"),
                types=("gcp:parametermanager/parameter:Parameter",),
            ),
        ),
    ),
)
