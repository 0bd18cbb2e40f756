"""What review looks for in a stack file: one row a rule, and what ``loomstead review --explain`` says of it."""

from dataclasses import dataclass

from regions.catalogue import Catalogue
from regions.findings import Severity
from regions.residency import DataClass, Purpose


@dataclass(frozen=True)
class Check:
    """``id``: with ``<regime>``, ``<data class>``, ``<purpose>`` for any. ``waivable``: somebody may answer for it."""

    id: str
    title: str
    why: str
    remedy: str
    severity: Severity = Severity.DENY
    waivable: bool = False


SAYS_ITS_REMEDY = "spec/value"
"""A rule whose messages say what they expect."""

CHECKS = (
    Check(
        "spec/yaml",
        "The stack file is no plain YAML",
        "The file is read strictly, so that this reader and Pulumi's take the same from it: no key twice, no anchor, "
        "alias or tag, one document.",
        "Put the YAML right in that line, and save the file as UTF-8.",
    ),
    Check(
        "spec/unknown-key",
        "A key that nothing reads",
        "A key that nothing reads does nothing, and a misspelt one silently leaves a default in force.",
        "Take the key that the message names, or leave it out.",
    ),
    Check(
        "spec/value",
        "A value that does not fit",
        "A wrong type, a name that nobody declares, or two things that contradict each other: nothing is decided then.",
        "Write what the message expects.",
    ),
    Check(
        "<regime>/<purpose>",
        "Data goes where the regime does not let it",
        "Each regime says for each purpose (rest, process, logs, backup, keys) in which countries it may be. A flow "
        "is refused when one country that it may reach is outside; regimes intersect.",
        "Keep the flow inside the regime's countries, or record a relaxation where the regime has one.",
    ),
    Check(
        "<data class>/<purpose>",
        "Data goes where the stack's own rule for its class does not let it",
        "residency.data_classes holds stricter places for one class of data; they hold beside the regimes.",
        "Keep the flow inside the places of that data class, or send it other classes only.",
    ),
    Check(
        "residency/allow",
        "Data goes outside residency.allow",
        "residency.allow lists the only countries of this stack, whatever its regimes allow.",
        "Keep the flow inside residency.allow.",
    ),
    Check(
        "residency/deny",
        "Data goes to a country of residency.deny",
        "residency.deny lists countries that nothing of this stack may reach, whatever its regimes allow.",
        "Take the flow out of that country.",
    ),
    Check(
        "residency/relaxation",
        "A relaxation that the regime does not know",
        "A regime is relaxed on the grounds that it has: never, by an adequacy decision of the catalogue, or by a "
        "document. Some data classes are never relaxed.",
        "Leave the relaxation out, or give it a ground that the regime has.",
    ),
    Check(
        "residency/expired",
        "A relaxation that does not hold any more",
        "Whoever relaxes a regime answers for it a year at most. What has expired does not hold, and may not linger.",
        "Let its approver decide anew and set expires, or leave it out.",
    ),
    Check(
        "catalogue/unknown",
        "The catalogue does not know where this happens",
        "Where data goes is known from the dated catalogue or it is refused: an unknown model, SKU, pair, profile or "
        "host may be anywhere.",
        "Take what the catalogue knows: `loomstead models where` lists it.",
    ),
    Check(
        "catalogue/contradiction",
        "The stack file names fewer countries than the catalogue knows",
        "For a host that the catalogue knows, its facts count besides what the stack file says. Both are decided on.",
        "Name all the countries of the host, or leave `countries` out where the catalogue knows it.",
        waivable=True,
    ),
    Check(
        "catalogue/stale",
        "The catalogue is older than the stack file lets it be",
        "Regions, profiles and laws move. residency.catalogue_days says how old the catalogue's newest fact may be.",
        "Take a newer catalogue, and see with `loomstead regions diff` what it changes.",
        Severity.WARN,
        waivable=True,
    ),
    Check(
        "<regime>/evidence",
        "A document that the regime requires is not named",
        "Some regimes ask for a document before the data moves. Named in residency.evidence, an auditor finds it.",
        "Name the document in residency.evidence.",
        waivable=True,
    ),
    Check(
        "<regime>/partition",
        "Not a cloud partition in which the regime's data may be",
        "Some regimes ask for a government or national partition of a cloud (such as aws-us-gov); its country alone "
        "is not enough.",
        "Take a region of a partition that the regime allows.",
        waivable=True,
    ),
    Check(
        "<regime>/custody",
        "Keys in hands that the regime does not allow",
        "Some regimes ask that the customer, not the cloud alone, holds the keys.",
        "Set keys.custody to one that the regime allows.",
        waivable=True,
    ),
    Check(
        "waiver/expired",
        "A waiver that does not hold",
        "A waiver holds a year at most. What has expired does not hold, and may not linger.",
        "Let its approver decide anew and set expires, or leave it out.",
    ),
    Check(
        "waiver/unused",
        "A waiver that answers for nothing",
        "A waiver stands for one rule at one resource. Without a finding there it would silently hold for a later one.",
        "Leave it out, or write rule and resource as the finding has them.",
        Severity.WARN,
    ),
    Check(
        "waiver/not-waivable",
        "A waiver for what nobody may waive",
        "Where data goes is decided by the Boundary, at deploy time and at each call: a waiver would not open it.",
        "Leave it out. A relaxation under residency.relaxations opens a regime where the regime has grounds for it.",
    ),
)
_BY_ID = {check.id: check for check in CHECKS}


def check_of(rule: str, catalogue: Catalogue) -> Check | None:
    """The row of a rule, ``None`` where review has no such rule."""
    head, _, tail = rule.partition("/")
    if head in catalogue.regimes:
        return _BY_ID.get("<regime>/<purpose>" if tail in tuple(Purpose) else f"<regime>/{tail}")
    if head in tuple(DataClass) and tail in tuple(Purpose):
        return _BY_ID["<data class>/<purpose>"]
    return _BY_ID.get(rule) if "<" not in rule else None
