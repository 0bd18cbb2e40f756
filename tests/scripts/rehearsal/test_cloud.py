"""The pretend cloud's files and its faults."""

import json
from pathlib import Path

import pytest
from pulumi.runtime import rpc

from scripts.rehearsal.cloud import Cloud, Control, Fault, Op, Recorded, Way
from scripts.rehearsal.wire import SIGNATURE

URN = "urn:pulumi:stack::project::aws:kms/key:Key::data"
HUSH = {SIGNATURE: rpc._special_secret_sig, "value": "hush"}


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


def happened(cloud: Cloud, op: Op, times: int) -> list[bool]:
    return [cloud.fault(op, URN) is not None for _ in range(times)]


def test_a_fault_happens_as_often_as_told_after_as_many_calls_as_told(cloud: Cloud) -> None:
    cloud.tell(Control(faults=(Fault(op=Op.CREATE, urn="::data", times=2, after=1),)))
    assert happened(cloud, Op.DELETE, 2) == [False, False]
    assert happened(cloud, Op.CREATE, 4) == [False, True, True, False]


def test_a_fault_told_anew_happens_anew(cloud: Cloud) -> None:
    control = Control(faults=(Fault(op=Op.CREATE, urn="::data"),))
    cloud.tell(control)
    assert happened(cloud, Op.CREATE, 2) == [True, False]
    cloud.tell(control)
    assert happened(cloud, Op.CREATE, 2) == [True, False]


def test_a_fault_of_another_resource_does_not_happen(cloud: Cloud) -> None:
    cloud.tell(Control(faults=(Fault(op=Op.CREATE, urn="::other"),)))
    assert happened(cloud, Op.CREATE, 1) == [False]


def test_the_control_file_may_be_written_by_hand(cloud: Cloud) -> None:
    (cloud.folder / "control.json").write_text('{"faults": [{"op": "delete", "urn": "data", "way": "fail"}]}')
    assert cloud.fault(Op.DELETE, URN) == Fault(op=Op.DELETE, urn="data", way=Way.FAIL)


@pytest.mark.parametrize("text", ['{"fault": []}', '{"faults": [{"op": "crate", "urn": ""}]}', "{"])
def test_a_control_file_that_is_wrong_is_refused(cloud: Cloud, text: str) -> None:
    (cloud.folder / "control.json").write_text(text)
    with pytest.raises(ValueError, match="Control"):
        cloud.fault(Op.CREATE, URN)


def test_what_was_begun_is_made_and_nothing_more_is_begun_until_told_anew(cloud: Cloud) -> None:
    with cloud.making() as begun:
        cloud.shut()
        with cloud.making() as another:
            assert (begun, another) == (True, False)
        assert cloud.busy()
    assert not cloud.busy()
    cloud.tell(Control())
    with cloud.making() as again:
        assert again


def test_no_secret_is_in_any_file(cloud: Cloud) -> None:
    cloud.put(Recorded("aws:kms/key:Key", "id", URN, {"policy": HUSH}, {"policy": HUSH}))
    cloud.note("create", URN, inputs={"policy": HUSH})
    cloud.write()
    files = [file.read_text() for file in cloud.folder.iterdir()]
    assert len(files) == 2
    assert not any("hush" in text for text in files)
    assert json.loads((cloud.folder / "cloud.json").read_text())["aws:kms/key:Key id"]["inputs"] == {
        "policy": "[secret]"
    }


def test_what_is_there_and_what_is_said_to_be_may_be_pointed_at(cloud: Cloud) -> None:
    cloud.tell(Control(existing=frozenset({"vpc-1"})))
    cloud.put(Recorded("aws:kms/key:Key", "id", URN, {}, {"arn": "arn:aws:kms:r:123456789012:key/id"}))
    assert cloud.known() == {"vpc-1", "id", "arn:aws:kms:r:123456789012:key/id"}
    assert cloud.take("aws:kms/key:Key", "id")
    assert cloud.known() == {"vpc-1"}
    assert not cloud.take("aws:kms/key:Key", "id")
