"""What the clouds' functions answer, by region."""

import pytest

from scripts.rehearsal.answers import DRAWN, NoAnswer, Place, answer, answers

PARTITION = "aws:index/getPartition:getPartition"
PRINCIPAL = "aws:index/getServicePrincipal:getServicePrincipal"
SERVICE = "aws:ec2/getVpcEndpointService:getVpcEndpointService"
FRANKFURT = Place("eu-central-1", "111122223333")


@pytest.mark.parametrize(
    ("region", "partition", "principal", "service"),
    [
        ("eu-central-1", "aws", "logs.amazonaws.com", "com.amazonaws.eu-central-1.kms"),
        ("us-gov-west-1", "aws-us-gov", "logs.amazonaws.com", "com.amazonaws.us-gov-west-1.kms"),
        ("eusc-de-east-1", "aws-eusc", "logs.amazonaws.eu", "eu.amazonaws.eusc-de-east-1.kms"),
    ],
)
def test_names_are_those_of_the_regions_partition(region: str, partition: str, principal: str, service: str) -> None:
    place = Place(region)
    assert answer(PARTITION, {}, place)["partition"] == partition
    assert answer(PRINCIPAL, {"serviceName": "logs"}, place)["name"] == principal
    assert answer(SERVICE, {"service": "kms"}, place)["serviceName"] == service


@pytest.mark.parametrize(
    ("token", "place"), [(PARTITION, Place("cn-north-1")), (PARTITION, Place("atlantis-1")), ("aws:x/y:y", FRANKFURT)]
)
def test_what_is_not_known_is_refused(token: str, place: Place) -> None:
    with pytest.raises(NoAnswer, match=r"cn|atlantis|invokes"):
        answer(token, {}, place)


def test_the_caller_is_of_the_account_that_the_provider_is_let_into() -> None:
    assert answer("aws:index/getCallerIdentity:getCallerIdentity", {}, FRANKFURT)["accountId"] == "111122223333"


def test_each_password_is_drawn_anew_and_is_a_canary() -> None:
    draw = answers(FRANKFURT)["aws:secretsmanager/getRandomPassword:getRandomPassword"]
    first, second = draw({})["randomPassword"], draw({})["randomPassword"]
    assert first != second
    assert first.startswith(DRAWN)


def test_a_key_has_one_public_key() -> None:
    read = answers(FRANKFURT)["aws:kms/getPublicKey:getPublicKey"]
    pem = read({"keyId": "a"})["publicKeyPem"]
    assert pem == read({"keyId": "a"})["publicKeyPem"] != read({"keyId": "b"})["publicKeyPem"]
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
