"""What the environment says, and what it may not say."""

from pathlib import Path

import pytest

from runtime.settings import StartError, read_settings

LEAST = {
    f"LOOMSTEAD_{name}": f"/{name}"
    for name in ("STACK", "REGION", "MANIFEST", "MANIFEST_KEY", "SECRETS", "CHECKPOINTS")
}


def test_what_only_a_cluster_says_may_be_left_out() -> None:
    settings = read_settings(LEAST)
    assert (settings.listen, settings.database_ca, settings.token, settings.translator) == (None, None, None, None)


def test_a_cluster_says_where_to_listen_whom_to_trust_and_who_one_is() -> None:
    told = {"LOOMSTEAD_LISTEN": "0.0.0.0:8080", "LOOMSTEAD_DATABASE_CA": "/ca.pem", "LOOMSTEAD_TOKEN": "/token"}
    settings = read_settings({**LEAST, **told})
    assert settings.listen == ("0.0.0.0", 8080)  # noqa: S104
    assert settings.database_ca == Path("/ca.pem")
    assert settings.token == Path("/token")
    assert read_settings({**LEAST, "LOOMSTEAD_LISTEN": "[::]:8080"}).listen == ("::", 8080)


def test_a_pod_may_say_how_long_its_calls_may_take_to_end() -> None:
    assert read_settings(LEAST).grace == 10
    assert read_settings({**LEAST, "LOOMSTEAD_GRACE_SECONDS": "600"}).grace == 600
    for wrong in ("0", "-1", "1.5", "ten"):
        with pytest.raises(StartError, match=r"LOOMSTEAD_GRACE_SECONDS is .*whole number"):
            read_settings({**LEAST, "LOOMSTEAD_GRACE_SECONDS": wrong})


SERVICE = "http://gateway.eu-runtime.svc.cluster.local:8080"


def test_the_gateways_service_is_taken_where_it_is_the_clusters_own() -> None:
    assert read_settings(LEAST).gateway is None
    assert read_settings({**LEAST, "LOOMSTEAD_GATEWAY": SERVICE}).gateway == SERVICE


@pytest.mark.parametrize(
    "said",
    [
        "http://gateway.example:8080",
        "http://svc.cluster.local.example:8080",
        f"{SERVICE}/path",
        f"{SERVICE}@gateway.example:80",
        SERVICE.removesuffix(":8080"),
        SERVICE.replace("8080", "80800"),
        SERVICE.replace("http:", "https:"),
        SERVICE.removeprefix("http://"),
    ],
)
def test_nothing_goes_unencrypted_to_anybody_elses_address(said: str) -> None:
    with pytest.raises(StartError, match=r"LOOMSTEAD_GATEWAY is .*Service of this cluster"):
        read_settings({**LEAST, "LOOMSTEAD_GATEWAY": said})


@pytest.mark.parametrize("said", ["8080", ":8080", "10.0.0.1", "0.0.0.0:http", "0.0.0.0:70000", "a@b:1", "h:1/path"])
def test_an_address_that_is_none_is_refused_with_its_variable(said: str) -> None:
    with pytest.raises(StartError, match=r"LOOMSTEAD_LISTEN is .*0\.0\.0\.0:8080"):
        read_settings({**LEAST, "LOOMSTEAD_LISTEN": said})
