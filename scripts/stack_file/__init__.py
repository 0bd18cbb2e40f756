"""A first stack file for a region under regimes: one that review lets pass and that can be made, or it says why not."""

import textwrap
from dataclasses import replace
from datetime import date
from pathlib import Path

from components.review import line, review_read
from regions.catalogue import Catalogue
from scripts.stack_file.made import not_installed, refused
from scripts.stack_file.sections import sections
from scripts.stack_file.text import text
from scripts.stack_file.wish import Wish

__all__ = ["NoStackFile", "Wish", "draft"]


_WIDTH = 100


class NoStackFile(Exception):
    """There is none of what was wished for; says what is against it, and where there is one or what to add."""


def draft(wish: Wish, name: str, catalogue: Catalogue, today: date) -> str:
    """The text of ``Pulumi.<name>.yaml``; raises ``NoStackFile``."""
    wanted = wish.wanted(catalogue)
    whole = replace(wish, evidence={**wish.evidence, **dict.fromkeys(wanted, "to be named")})
    if why := _against(whole, name, catalogue, today):
        raise NoStackFile("\n".join([*why, _elsewhere(whole, name, catalogue, today)]))
    if wanted:
        asked = [f"{regime} wants evidence {key}: add --evidence {key}=<reference>" for key, regime in wanted.items()]
        raise NoStackFile("\n".join([*asked, "The reference is that of the document itself; nothing else is wanting."]))
    return text(wish, name, sections(wish, catalogue, today))


def _against(wish: Wish, name: str, catalogue: Catalogue, today: date) -> list[str]:
    """What review has against it, and where it has nothing, what the platform's fabric has; no line for nothing."""
    fabric = {each.key: each.value for each in sections(wish, catalogue, today)}
    found = review_read(Path(f"Pulumi.{name}.yaml"), fabric, name, catalogue, today)
    if found.open:
        of_region = [finding for finding in found.open if finding.resource == "region"]
        why = [f"  {line(finding)}" for finding in of_region or found.open]
        return [f"{wish.region} cannot hold {', '.join(wish.regimes)}:", *why]
    if found.spec and not not_installed(wish.platform):
        why = [f"  {each}" for each in refused(fabric, found.spec, name, catalogue, today)]
        return [f"{wish.region} cannot have a fabric under {', '.join(wish.regimes)}:", *why] if why else []
    return []


def _elsewhere(wish: Wish, name: str, catalogue: Catalogue, today: date) -> str:
    others = [
        region
        for region, facts in catalogue.regions.items()
        if facts.platform == wish.platform and region != wish.region
        if not _against(replace(wish, region=region), name.replace(wish.region, region), catalogue, today)
    ]
    if others:
        told = f"Regions of {wish.platform} that can: {', '.join(others)}."
        return textwrap.fill(told, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return f"No region of {wish.platform} can, with what was given."
