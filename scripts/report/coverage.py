"""What a review does not say, in words for whoever relies on it."""

from collections.abc import Mapping

from regions.catalogue import Source
from scripts.report.placements import unverified

NOT_COVERED: Mapping[str, str] = {
    "The cloud as it is now": (
        "This judges the stack file. Nobody asked a cloud account what runs there: what was changed by hand, by "
        "another tool or by the provider is not seen."
    ),
    "The resources of the deployment": (
        "Which buckets, databases, networks and keys a deployment creates, and how each is set, is not in a "
        "stack file and not part of this check. `loomstead review --graph` checks it in a `pulumi` export or preview, "
        "and the policy pack in each `pulumi up` that has it."
    ),
    "Subprocessors": (
        "Whom a provider hires for its service, and where those stand, is in the provider's own list and contract."
    ),
    "Support and remote access": (
        "People who operate or support a service may see data from another country than the one it rests in. A region "
        "does not tell; a contract and the provider's access controls do."
    ),
    "Account and billing data": (
        "Names, invoices, usage figures and the settings of the account itself are often kept by a provider in its "
        "home country, whatever the region."
    ),
    "What people and programs send": (
        "A data class is what the stack file says it is. Nothing here looks into the data: a person who puts health "
        "data into a field declared internal is not found."
    ),
    "Endpoints that the stack file answers for": (
        "Where the stack file itself names the countries of an endpoint, a core system or a host, it is believed."
    ),
    "The law": (
        "This is not legal advice. The regimes are configurable defaults, often stricter than the law and never the "
        "whole of it. Counsel decides whether a transfer is permitted."
    ),
}


def not_covered(facts: Mapping[str, Source]) -> str:
    """The same as Markdown, with the facts of a stack that nobody read in their primary source."""
    lines = ["# What this evidence does not cover", ""]
    for title, text in NOT_COVERED.items():
        lines += [f"## {title}", "", text, ""]
    lines += ["## Facts that were not read in their primary source", ""]
    found = unverified(facts)
    lines += [f"- `{name}` ({fact.confidence}, as of {fact.as_of}): {fact.title}" for name, fact in found.items()]
    return "\n".join(lines if found else [*lines, "None: every fact behind this stack was."]) + "\n"
