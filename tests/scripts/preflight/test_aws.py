"""What an AWS account says of itself, asked of moto's APIs over HTTP."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import botocore.session
import pytest
from botocore.stub import Stubber
from moto.server import ThreadedMotoServer

from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import FabricSpec
from scripts.preflight.aws import Asking, address_towards, collect, role_of
from scripts.preflight.facts import Facts, Reach, State

STACK = "aws-eu-central-1"
NAMES = ("loomstead/aws-eu-central-1/ledger", "loomstead/aws-eu-central-1/webhook")
VARIABLES = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def account(moto: str, monkeypatch: pytest.MonkeyPatch) -> botocore.session.Session:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return botocore.session.get_session()


@pytest.fixture
def spec() -> FabricSpec:
    return load_spec(REPOSITORY / "stacks" / "Pulumi.aws-eu-central-1.yaml")


def states(spec: FabricSpec) -> dict[str, State]:
    return {name: state for name, state in (asked(spec).names or {}).items() if name in NAMES}


def asked(spec: FabricSpec) -> Facts:
    found = collect(spec, STACK, ())
    assert found is not None
    return found


def test_it_says_whose_credentials_they_are_and_what_the_region_has(
    account: botocore.session.Session, spec: FabricSpec
) -> None:
    facts = asked(spec)

    assert facts.account == "123456789012"
    assert facts.zones == ("eu-central-1a", "eu-central-1b", "eu-central-1c")
    assert any(str(block) == "172.31.0.0/16" for block in (facts.networks or {}).values())


def test_a_secret_that_was_deleted_is_told_from_one_that_never_was(
    account: botocore.session.Session, spec: FabricSpec
) -> None:
    secrets = account.create_client("secretsmanager", region_name=spec.region)
    secrets.create_secret(Name=NAMES[0], SecretString="x")
    assert states(spec) == {NAMES[0]: State.OWN, NAMES[1]: State.FREE}

    secrets.delete_secret(SecretId=NAMES[0])

    assert states(spec) == {NAMES[0]: State.DELETED, NAMES[1]: State.FREE}


def test_addresses_in_use_count(account: botocore.session.Session, spec: FabricSpec) -> None:
    before = Asking(account, spec.region).used("addresses")
    account.create_client("ec2", region_name=spec.region).allocate_address(Domain="vpc")

    assert Asking(account, spec.region).used("addresses") == before + 1


def test_what_may_be_done_is_simulated_for_the_role(
    account: botocore.session.Session, spec: FabricSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto simulates no policies, so this one answer is given by botocore's stub, which checks it against the API."""
    iam = account.create_client("iam", region_name=spec.region)
    told = {"EvaluationResults": [{"EvalActionName": "kms:Sign", "EvalDecision": "implicitDeny"}]}
    wanted = {"PolicySourceArn": "arn:aws:iam::123456789012:role/deployer", "ActionNames": ["kms:Sign"]}
    asking = Asking(account, spec.region)
    monkeypatch.setattr(asking, "client", lambda _service: iam)
    with Stubber(iam) as stub:
        stub.add_response("simulate_principal_policy", told, wanted)
        assert asking.permissions("arn:aws:sts::123456789012:assumed-role/deployer/me", ("kms:Sign",)) == {
            "kms:Sign": False
        }
        stub.add_client_error("simulate_principal_policy", "AccessDenied")
        assert asking.permissions("arn:aws:iam::123456789012:user/me", ("kms:Sign",)) is None


def test_without_credentials_nothing_is_asked(spec: FabricSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert collect(spec, STACK, ()) is None


@pytest.mark.parametrize(
    ("principal", "role"),
    [
        ("arn:aws:sts::1:assumed-role/platform/me", "arn:aws:iam::1:role/platform"),
        ("arn:aws:iam::1:user/me", "arn:aws:iam::1:user/me"),
    ],
)
def test_a_session_is_simulated_as_its_role(principal: str, role: str) -> None:
    assert role_of(principal) == role


def test_without_a_cluster_there_is_none_to_reach(account: botocore.session.Session, spec: FabricSpec) -> None:
    assert asked(spec).reach is Reach.ABSENT


def test_a_cluster_s_private_api_answers_this_machine_or_does_not(
    account: botocore.session.Session, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto's clusters have addresses that are nobody's, so this answer is given by botocore's stub."""
    eks = account.create_client("eks", region_name="eu-central-1")
    asking = Asking(account, "eu-central-1")
    monkeypatch.setattr(asking, "client", lambda _service: eks)
    with socket.socket() as closed, Stubber(eks) as stub:
        closed.bind(("127.0.0.1", 0))
        nobody = f"https://127.0.0.1:{closed.getsockname()[1]}"
        for endpoint in ({"endpoint": moto}, {"endpoint": nobody}, {}):
            stub.add_response("describe_cluster", {"cluster": endpoint}, {"name": STACK})
        stub.add_client_error("describe_cluster", "AccessDeniedException")

        assert [asking.reach(STACK) for _ in range(4)] == [Reach.ANSWERS, Reach.SILENT, Reach.ABSENT, None]


def test_the_address_is_the_one_that_leads_there() -> None:
    assert address_towards("127.0.0.0/8") == ip_address("127.0.0.1")
    assert address_towards(None) is None
