"""What people write is read strictly, and told back with line, key and expectation."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from regions.documents import DEEPEST, Document, DocumentError, Flaw


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    weight: int = Field(ge=1, le=9)
    label: str = Field("x", min_length=1)


class Machine(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    colour: Colour
    parts: tuple[Part, ...] = Field((), max_length=2)
    spare: Part | None = None
    named: dict[Colour, Part] = {}
    own: dict[Annotated[str, Field(pattern="^[a-z]$")], Part] = {}
    size: int | str = 1


class Wrong(DocumentError):
    """Stands for SpecError and DefinitionError."""


class Case(NamedTuple):
    name: str
    text: str
    mistakes: list[str]


CASES = [
    Case(
        "a wrong type",
        "colour: red\nspare: {weight: many}",
        ['2: spare.weight: expected an integer ≥ 1 and ≤ 9, got "many"'],
    ),
    Case(
        "a wrong number",
        "colour: red\nspare: {weight: 10}",
        ["2: spare.weight: expected an integer ≥ 1 and ≤ 9, got 10"],
    ),
    Case(
        "a number as text",
        'colour: red\nspare: {weight: "5"}',
        ['2: spare.weight: expected an integer ≥ 1 and ≤ 9, got "5"'],
    ),
    Case(
        "an empty text",
        "colour: red\nspare: {weight: 5, label: ''}",
        ['2: spare.label: expected a text of ≥ 1 characters, got ""'],
    ),
    Case("outside a closed set", "colour: blue", ['1: colour: expected one of red, green, got "blue"']),
    Case(
        "a missing key",
        "colour: red\nparts:\n  - weight: 1\n  - label: y",
        ["4: parts[1].weight: expected an integer ≥ 1 and ≤ 9, got nothing"],
    ),
    Case(
        "an unknown key",
        "colour: red\nspare:\n  weight: 1\n  labl: y",
        ["4: spare.labl: unknown key, expected one of label, weight (did you mean label?)"],
    ),
    Case(
        "a key like no other",
        "colour: red\nqqq: 1",
        ["2: qqq: unknown key, expected one of colour, named, own, parts, size, spare"],
    ),
    Case(
        "an unknown key of a map",
        "colour: red\nnamed:\n  gren: {weight: 1}",
        ["3: named.gren: unknown key, expected one of red, green (did you mean green?)"],
    ),
    Case(
        "an unknown key under a free one",
        "colour: red\nown:\n  a: {wight: 1, weight: 1}\n  B: {weight: 1}",
        [
            "3: own.a.wight: unknown key, expected one of label, weight (did you mean weight?)",
            "4: own.B: unknown key, expected one matching ^[a-z]$",
        ],
    ),
    Case("a list for a mapping", "colour: red\nspare: [1]", ["2: spare: expected a mapping or nothing, got a list"]),
    Case(
        "too many",
        "colour: red\nparts: [{weight: 1}, {weight: 1}, {weight: 1}]",
        ["2: parts: expected 0 to 2 entries, got 3"],
    ),
    Case("several types allowed", "colour: red\nsize: [1]", ["2: size: expected an integer or a text, got a list"]),
    Case("an empty file", "", ["1: expected a mapping, got nothing"]),
    Case(
        "a key twice",
        "colour: red\nspare:\n  weight: 1\n  weight: 2",
        ["4: spare.weight: expected once, got again (first in line 3)"],
    ),
    Case(
        "an alias",
        "colour: &c red\nsize: *c",
        [
            "1: colour: expected plain YAML, got an anchor or a tag",
            "2: size: expected a value, got an alias: write the value out",
            "2: size: expected an integer or a text, got nothing",
        ],
    ),
    Case("a tag", "colour: !!str red", ["1: colour: expected plain YAML, got an anchor or a tag"]),
    Case("a second document", "colour: red\n---\ncolour: red", ["2: expected one document, got a second one"]),
    Case("a mapping as key", "colour: red\n? {a: 1}\n: 2", ["2: expected YAML: a key that is no text"]),
    Case(
        "two mistakes at once",
        "colour: blue\nspare: {weight: 0}",
        [
            '1: colour: expected one of red, green, got "blue"',
            "2: spare.weight: expected an integer ≥ 1 and ≤ 9, got 0",
        ],
    ),
    Case(
        "broken YAML",
        "colour: red\nspare: {weight: 1\nparts: []",
        ["3: expected YAML: did not find expected ',' or '}'"],
    ),
]


def mistakes_of(text: str) -> tuple[str, ...]:
    try:
        Document.parse(text, "m.yaml", Wrong).model(Machine, error=Wrong)
    except Wrong as wrong:
        return wrong.mistakes or ("an error without a mistake",)
    return ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_told_with_line_key_and_expectation(case: Case) -> None:
    assert [line.removeprefix("m.yaml:").lstrip() for line in mistakes_of(case.text)] == case.mistakes


def test_a_right_document_becomes_the_model() -> None:
    text = "colour: red\nparts: [{weight: 3}]\nnamed: {green: {weight: 2, label: z}}"
    expected = Machine(colour=Colour.RED, parts=(Part(weight=3),), named={Colour.GREEN: Part(weight=2, label="z")})
    assert Document.parse(text, "m.yaml").model(Machine) == expected


def test_a_character_that_yaml_forbids_is_told_with_its_line() -> None:
    (line,) = mistakes_of("colour: red\n# é\nsize: \x00")
    assert line.startswith("m.yaml:3: expected YAML: ")


def test_a_value_that_another_reader_got_keeps_the_lines_and_mistakes_of_the_file() -> None:
    document = Document.parse("colour: red\nsize: &one 1", "m.yaml").holding({"colour": "blue", "size": 1})
    with pytest.raises(DocumentError) as caught:
        document.model(Machine)
    assert [line.partition(",")[0] for line in caught.value.mistakes] == [
        "m.yaml:2: size: expected plain YAML",
        "m.yaml:1: colour: expected one of red",
    ]


def test_a_long_wrong_value_is_cut() -> None:
    (line,) = mistakes_of(f"colour: {'x' * 500}")
    assert len(line) < 150


def test_a_check_reports_at_its_place() -> None:
    document = Document.parse("colour: red\nparts:\n  - weight: 1", "m.yaml")
    with pytest.raises(Wrong, match=r"^m\.yaml:3: parts\[0\]: too light$"):
        document.model(Machine, error=Wrong, check=lambda machine: [(("parts", 0), "too light")])


def test_the_object_may_lie_under_keys_that_are_not_ours() -> None:
    text = "other: 1\nconfig:\n  kit:machine:\n    colour: blue"
    with pytest.raises(DocumentError, match=r"^m\.yaml:4: kit:machine\.colour: expected one of red, green"):
        Document.parse(text, "m.yaml").model(Machine, at=("config", "kit:machine"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "config:\n  kit:machin: {}",
            r"m.yaml:1: config: expected the key kit:machine, .* \(did you mean kit:machin\?\)",
        ),
        ("config: 5", "m.yaml:1: config: expected the key kit:machine, got nothing"),
        ("[]", "m.yaml:1: expected the key config, got nothing"),
    ],
)
def test_a_missing_way_to_the_object_is_told(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        Document.parse(text, "m.yaml").model(Machine, at=("config", "kit:machine"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2026-11-23", "2026-11-23"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("9" * 5000, "9" * 5000),
        (".inf", ".inf"),
        ("1.5", 1.5),
        ("~", None),
        ("'true'", "true"),
        ("true", True),
    ],
)
def test_plain_scalars_follow_the_json_schema_of_yaml(text: str, value: object) -> None:
    assert Document.parse(text, "m.yaml").value == value


def test_a_byte_order_mark_and_crlf_change_nothing() -> None:
    assert Document.parse("\ufeffcolour: red\r\nsize: 2\r\n", "m.yaml").model(Machine).size == 2


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused_before_it_exhausts_the_stack(text: str) -> None:
    with pytest.raises(DocumentError, match=f"nested deeper than {DEEPEST}"):
        Document.parse(text, "m.yaml")


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(Wrong, match=r"latin\.yaml:1: expected UTF-8 text: byte 9 is not"):
        Document.read(tmp_path / "latin.yaml", Wrong)
    with pytest.raises(Wrong, match=r"none\.yaml: expected a readable file: No such file"):
        Document.read(tmp_path / "none.yaml", Wrong)
    with pytest.raises(Wrong, match="expected a readable file: Is a directory"):
        Document.read(tmp_path, Wrong)


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero")):
        with pytest.raises(Wrong, match=f"{path}: expected a regular file, got a pipe, socket or device"):
            Document.read(path, Wrong)


def test_a_pipe_that_the_caller_hands_over_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"colour: red\n")
    os.close(writing)
    try:
        assert Document.read(Path(f"/dev/fd/{reading}")).value == {"colour": "red"}
    finally:
        os.close(reading)


YAMLISH = st.lists(
    st.sampled_from(
        [*"{}[]:,-?&*!|>#'\"%@` \n\tab1~", "colour: ", "red", "parts:", "\n  ", "---", "\x00", "\U0001f600", "é"]
    )
)


@given(YAMLISH.map("".join))
def test_any_text_is_a_machine_or_a_located_mistake(text: str) -> None:
    assert all(line.startswith("m.yaml:") for line in mistakes_of(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Machine.model_fields, "weight", "x", "[key]"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_value_survives_yaml_and_any_mistake_in_it_is_explained(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_style='"' if isinstance(value, str) else None)
    assert all(": expected " in line or ": unknown key, " in line for line in mistakes_of(text))


def test_a_mistake_says_its_kind_line_and_place() -> None:
    with pytest.raises(DocumentError) as caught:
        Document.parse("kit:\n  colour: &c red\n  sise: 1\n  spare: {weight: 10}", "m.yaml").model(Machine, at=("kit",))
    assert [(found.line, found.place, found.kind) for found in caught.value.located] == [
        (2, ("kit", "colour"), Flaw.YAML),
        (4, ("kit", "spare", "weight"), Flaw.VALUE),
        (3, ("kit", "sise"), Flaw.UNKNOWN_KEY),
    ]
    with pytest.raises(DocumentError) as caught:
        Document.parse("}", "m.yaml")
    assert [(found.line, found.kind) for found in caught.value.located] == [(1, Flaw.YAML)]


def test_a_file_that_is_not_there_has_no_mistake_in_it(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        Document.read(tmp_path / "none.yaml")
    assert (len(caught.value.mistakes), caught.value.located) == (1, ())
