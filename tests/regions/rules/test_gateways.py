"""What a gateway's configuration says of where it sends what it is asked."""

import pytest

from regions.rules.gateways import is_in_cluster


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://vllm:8000/v1", True),
        ("http://vllm.models.svc.cluster.local/v1", True),
        ("http://127.0.0.1:4000", True),
        ("vllm", True),
        ("http://[::1]:4000", True),
        ("http://[2600:1f18::1]:4318", False),
        ("http://55152913:4318", False),
        ("http://0x3498d1d1:4318", False),
        ("http://10.0.0.7:4318", False),
        ("https://api.openai.com/v1", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_a_host_that_can_be_read_is_in_the_cluster(url: str, inside: bool) -> None:
    assert is_in_cluster(url) == inside
