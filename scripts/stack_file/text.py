"""A stack file as people read it: block style, a comment above every section, CHANGE where an example stands."""

import re
import textwrap
from collections.abc import Iterable

import yaml

from components.spec import CONFIG_KEY
from scripts.stack_file.sections import Section
from scripts.stack_file.wish import Wish

PROVIDERS = ("aws", "azure-native", "gcp", "kubernetes")
_WIDTH = 110
_HEADER = """\
# yaml-language-server: $schema=../components/fabric.schema.json
# {platform} {region} under {regimes}. Lines that end in CHANGE are yours to write, and
# `loomstead preflight {name}` lists what is wanting.
# `loomstead review {name}` says at any time whether data stays where it must.
config:
  {key}:
"""
_EXAMPLE = re.compile(
    r"0{8}-0{4}-|sha256:0{64}|\b111122223333\b|\.example\b|//example\.|\b10\.(8|20)\.0\.0/16$|"
    r" (context: onprem|replicated-encrypted|kms-plugin|corp-ca|mistral-small|example-project|"
    r"database-administrators)$|//loomstead-backups"
)
"""What was made up here."""


class _Indented(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand further in than their key."""
        super().increase_indent(flow, False)


def text(wish: Wish, name: str, said: Iterable[Section]) -> str:
    header = _HEADER.format(
        platform=wish.platform, region=wish.region, regimes=", ".join(wish.regimes), name=name, key=CONFIG_KEY
    )
    body = "".join(textwrap.indent(_section(each), "    ") for each in said)
    providers = _yaml({"pulumi:disable-default-providers": list(PROVIDERS)})
    return header + body + textwrap.indent(providers, "  ")


def _section(said: Section) -> str:
    comment = "".join(f"# {line}\n" for line in textwrap.wrap(said.comment, _WIDTH, break_on_hyphens=False))
    lines = _yaml({said.key: said.value}).splitlines()
    marked = "".join(f"{line} # CHANGE\n" if _EXAMPLE.search(line) else f"{line}\n" for line in lines)
    return comment + marked + said.after


def _yaml(value: object) -> str:
    return yaml.dump(
        value, Dumper=_Indented, sort_keys=False, default_flow_style=False, width=10_000, allow_unicode=True
    )
