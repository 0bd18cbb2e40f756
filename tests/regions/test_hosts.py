"""What is decided about a host is decided about the host that is called: one spelling each, the others refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.hosts import base_url, host_of
from runtime.models.upstream import Target


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://api.openai.com./v1", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com/V1/", "https://api.openai.com/V1"),
        ("http://vllm:8000", "http://vllm:8000"),
        ("http://10.0.0.1:8000/v1", "http://10.0.0.1:8000/v1"),
        ("http://[0:0::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_spellings_of_a_host_are_one_host(url: str, read: str) -> None:
    assert base_url(url).geturl() == read
    assert base_url(read).geturl() == read
    assert host_of(url) == base_url(read).hostname == Target.from_url(url).host


@pytest.mark.parametrize(
    "host",
    [
        "api.openai.com..",
        "api..openai.com",
        "api\u3002openai.com",
        "api\uff0eopenai.com",
        "\uff41pi.openai.com",
        "api.open\u00adai.com",
        "api%2eopenai.com",
        "api.openai.com%20",
        "api.openai.com ",
        "api.openai.com\\",
        "-a.example",
        "a_b.example",
        "127.1",
        "2130706433",
        "0x7f000001",
        "256.0.0.1",
        "[::g]",
        "",
    ],
)
def test_what_a_client_would_first_rewrite_is_no_host(host: str) -> None:
    assert host_of(f"https://{host}/v1") is None
    with pytest.raises(ValueError, match="expected a host"):
        base_url(f"https://{host}/v1")
    with pytest.raises(ValueError, match="expected a host"):
        Target.from_url(f"https://{host}/v1")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://a.example:99999", "a port"),
        ("https://a.example:abc", "a port"),
        ("https://a.example:0", "a port"),
        ("https://a.example/v1?to=api.openai.com", "a base URL"),
        ("https://a.example/v1?", "a base URL"),
        ("https://a.example/v1#x", "a base URL"),
        ("https://a.exa\tmple/v1", "a base URL"),
        ("https://a.example/v 1", "a base URL"),
        ("https://a.example\\v1", "a host"),
        ("https://user:secret@a.example", "without user or password"),
        ("https://@a.example", "without user or password"),
        ("ftp://a.example", "begins with http"),
        ("/v1", "begins with http"),
    ],
)
def test_what_paths_cannot_be_put_behind_is_no_base_url(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"expected .*{why}"):
        base_url(url)


@given(st.text(st.characters(exclude_characters="/?#:@[]"), min_size=1))
def test_a_host_is_found_only_where_text_and_host_are_one(text: str) -> None:
    host = host_of(f"https://{text}/v1")
    if host is not None:
        assert host.isascii()
        assert text.translate(dict.fromkeys(map(ord, "\t\r\n"))).lower().removesuffix(".") == host
