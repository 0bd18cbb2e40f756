"""The types of a stack file, and the schema that editors take for it."""

import json

import jsonschema_rs
import pytest
import yaml

from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import CONFIG_KEY, SCHEMA_PATH, country_of, schema_text
from regions.catalogue import load_catalogue
from tests.fixtures.stacks import RIGHT

STACK_FILE = REPOSITORY / "stacks" / "Pulumi.local.yaml"
SHIPPED = STACK_FILE.read_text()


def test_the_schema_file_is_what_the_models_say() -> None:
    message = "components/fabric.schema.json is not what components/spec.py says: run `loomstead schema`"
    assert SCHEMA_PATH.read_text() == schema_text(), message


def test_the_schema_takes_every_right_stack_file() -> None:
    schema = jsonschema_rs.validator_for(json.loads(schema_text()))
    for file in [STACK_FILE, *RIGHT]:
        schema.validate(json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str)))


@pytest.mark.parametrize(("old", "new"), [("region: local", "regoin: local"), (f"  {CONFIG_KEY}:", "  kit:fabric:")])
def test_the_schema_refuses_a_wrong_stack_file(old: str, new: str) -> None:
    schema = jsonschema_rs.validator_for(json.loads(schema_text()))
    assert SHIPPED.count(old) == 1
    assert not schema.is_valid(yaml.safe_load(SHIPPED.replace(old, new)))


def test_the_stack_file_names_its_schema_in_the_first_line() -> None:
    named = SHIPPED.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (STACK_FILE.parent / named).resolve() == SCHEMA_PATH


def test_a_region_stands_where_the_catalogue_says_and_a_machine_where_its_owner_says() -> None:
    catalogue = load_catalogue()
    spec = load_spec(STACK_FILE)
    assert country_of(spec, catalogue) == spec.country
    assert country_of(spec, catalogue, "eu-central-2") == "CH"
    assert country_of(spec, catalogue, "eu-central-9") is None
