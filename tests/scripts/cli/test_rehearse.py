"""What `loomstead rehearse` takes and shows; what a rehearsal is has its own tests (tests/scripts/rehearsal)."""

import pytest

from scripts.cli import rehearse
from scripts.cli.failure import CommandError
from scripts.rehearsal.cycle import Rehearsal, Step
from scripts.rehearsal.shipped import shipped

URN = "urn:pulumi:s::loomstead::loomstead:fabric:Fabric$loomstead:keys:Keys$aws:kms/key:Key::fabric-keys-issuer"
WENT = Rehearsal(
    steps=(Step("up", 12.34, {"create": 2}), Step("refresh", 1.0, {})),
    resources=2,
    rotated=("operator",),
    replaced=(URN,),
    undecided=(f"{URN} policy",),
    kept=(URN, URN),
    orphans=(),
    recorded=("nobody.example/v1 Thing",),
    problems=("up: it did not go",),
)


@pytest.mark.parametrize(
    ("stacks", "every", "said"),
    [
        ([], False, "Name stacks, or give --all"),
        (["aws-eu-central-1"], True, "Name stacks, or give --all"),
        (["local"], False, "no stack 'local' in a cloud"),
        (["aws-eu-centrl-1"], False, "no stack 'aws-eu-centrl-1'"),
    ],
)
def test_what_is_not_asked_rightly_is_refused_with_the_names_there_are(
    stacks: list[str], every: bool, said: str
) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        rehearse.rehearse_command(stacks, every)
    assert all(name in str(refused.value) for name in shipped())


def test_a_stack_is_shown_with_its_steps_what_is_replaced_kept_and_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    rehearse._show("aws-x", WENT)
    said = capsys.readouterr().out
    assert "aws-x: 2 resources" in said
    assert "12.3" in said
    assert "2 create" in said
    assert "keys that the change rotated:\n  operator\n" in said
    assert "the change replaces:\n  aws:kms/key:Key::fabric-keys-issuer\n" in said
    assert "  aws:kms/key:Key::fabric-keys-issuer policy\n" in said
    assert "orphans: in the cloud and in no state: none" in said
    assert "  2 aws:kms/key:Key\n" in said
    assert "  nobody.example/v1 Thing\n" in said
    assert "problem: up: it did not go" in said


def test_several_stacks_end_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    rehearse._show_all({"aws-x": WENT})
    assert "problems: 1" in capsys.readouterr().out
