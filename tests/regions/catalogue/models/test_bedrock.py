"""Where models of Amazon Bedrock are called and answered, entered a second time, and in countries.

The catalogue says destinations by region and set; here stands what comes out, for every way from every region.
"""

from collections.abc import Iterable, Iterator

from regions.catalogue import Catalogue
from tests.fixtures.served import AWS_WORLD, Calls, Key, assert_served

EU6 = "eu-central-1 eu-west-1 eu-west-3 eu-north-1 eu-south-1 eu-south-2"
US4 = "us-east-1 us-east-2 us-west-1 us-west-2"
US3 = "us-east-1 us-east-2 us-west-2"
GOV = "us-gov-west-1 us-gov-east-1"
NORTH = "CA US"
US_CLAUDE: Calls = {US4: "US", "ca-central-1": NORTH}
US_CALGARY: Calls = {US4: "US", "ca-central-1 ca-west-1": NORTH}
EU_CLAUDE: Calls = {
    EU6: "DE ES FR IE IT SE",
    "eu-west-2": "DE ES FR GB IE IT SE",
    "eu-central-2": "CH DE ES FR IE IT SE",
}
EU_PLAIN: Calls = {EU6: "DE ES FR IE IT SE"}
EU_ISRAEL: Calls = {EU6: "DE ES FR IE IT SE", "il-central-1": "DE ES FR IE IL IT SE"}
EU_NOVA: Calls = {
    "eu-central-1 eu-north-1 eu-west-1 eu-west-3": "DE FR IE SE",
    "eu-south-1": "DE FR IE IT SE",
    "eu-south-2": "DE ES FR IE SE",
    "il-central-1": "DE FR IE IL IT SE",
}
PACIFIC = "AU IN JP KR SG"
APAC_FAR: Calls = {
    "ap-southeast-3": f"{PACIFIC} ID",
    "ap-southeast-5": f"{PACIFIC} ID MY",
    "ap-southeast-7": f"{PACIFIC} ID TH",
    "ap-east-2": f"{PACIFIC} ID TW",
    "me-central-1": f"{PACIFIC} ID AE",
}
APAC_NOVA_MICRO: Calls = {
    "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2": PACIFIC,
    **APAC_FAR,
}
APAC_NOVA: Calls = {**APAC_NOVA_MICRO, "ap-southeast-4": PACIFIC}
APAC_SONNET: Calls = {
    "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-4": (
        PACIFIC
    ),
    **APAC_FAR,
}
JAPAN: Calls = {"ap-northeast-1 ap-northeast-3": "JP"}
AUSTRALIA: Calls = {"ap-southeast-2 ap-southeast-4": "AU"}
BEDROCK_REGIONS = (
    f"{US4} ca-central-1 ca-west-1 mx-central-1 sa-east-1 {EU6} eu-west-2 eu-central-2 il-central-1 me-central-1 "
    "me-south-1 af-south-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 "
    "ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7"
)
GLOBAL: Calls = {BEDROCK_REGIONS: AWS_WORLD}
NOVA_REGIONS = "us-east-1 us-gov-west-1 eu-west-2 ap-southeast-2"
LLAMA_3: Calls = {"us-east-1 us-west-2 us-gov-west-1 ca-central-1 eu-west-2 ap-south-1": ""}
LARGE_3 = f"{US3} ap-northeast-1 ap-south-1 ap-southeast-2 sa-east-1"
MINISTRAL: Calls = {f"{LARGE_3} eu-south-1 eu-west-1 eu-west-2": ""}
GPT_OSS: Calls = {
    f"{US3} {GOV} eu-central-1 eu-north-1 eu-south-1 eu-west-1 eu-west-2 ap-northeast-1 ap-south-1 ap-southeast-2 "
    "ap-southeast-3 sa-east-1": ""
}
EMBED_3: Calls = {
    "us-east-1 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 ap-northeast-1 ap-south-1 "
    "ap-southeast-1 ap-southeast-2 sa-east-1": ""
}
RERANK = "us-west-2 ca-central-1 eu-central-1 ap-northeast-1"

BEDROCK: dict[str, dict[str, Calls]] = {
    "anthropic.claude-opus-4-8": {
        "mantle": {"us-east-1 eu-north-1 eu-west-1 ap-southeast-4 ap-northeast-1 us-gov-west-1": ""},
        "us": US_CALGARY,
        "eu": EU_CLAUDE,
        "jp": JAPAN,
        "au": AUSTRALIA,
        "global": GLOBAL,
    },
    "anthropic.claude-opus-4-7": {
        "mantle": {"us-east-1 eu-north-1 eu-west-1 ap-southeast-4": ""},
        "eu": EU_PLAIN,
        "global": GLOBAL,
    },
    "anthropic.claude-opus-4-5-20251101-v1:0": {"us": US_CLAUDE, "eu": EU_CLAUDE, "global": GLOBAL},
    "anthropic.claude-opus-4-1-20250805-v1:0": {"us": {US3: "US"}},
    "anthropic.claude-sonnet-4-5-20250929-v1:0": {
        "us": US_CLAUDE,
        "us-gov": {GOV: "US"},
        "eu": EU_CLAUDE,
        "jp": JAPAN,
        "au": {**AUSTRALIA, "ap-southeast-6": "AU NZ"},
        "global": GLOBAL,
    },
    "anthropic.claude-sonnet-4-20250514-v1:0": {
        "us": {US4: "US"},
        "eu": EU_ISRAEL,
        "apac": APAC_SONNET,
        "global": {f"{US3} eu-west-1 ap-northeast-1": AWS_WORLD},
    },
    "anthropic.claude-haiku-4-5-20251001-v1:0": {
        "us": US_CLAUDE,
        "eu": EU_CLAUDE,
        "jp": JAPAN,
        "au": AUSTRALIA,
        "global": GLOBAL,
    },
    "amazon.nova-pro-v1:0": {
        "in-region": {f"{NOVA_REGIONS} ap-southeast-3 me-central-1": ""},
        "us": {US4: "US"},
        "eu": EU_NOVA,
        "apac": APAC_NOVA,
    },
    "amazon.nova-lite-v1:0": {
        "in-region": {f"{NOVA_REGIONS} ap-southeast-3 me-central-1 ap-northeast-1": ""},
        "us": {US4: "US"},
        "ca": {"ca-central-1 ca-west-1": "CA"},
        "eu": EU_NOVA,
        "apac": APAC_NOVA,
    },
    "amazon.nova-micro-v1:0": {
        "in-region": {NOVA_REGIONS: ""},
        "us": {US3: "US"},
        "eu": EU_NOVA,
        "apac": APAC_NOVA_MICRO,
    },
    "amazon.nova-2-lite-v1:0": {
        "us": US_CALGARY,
        "eu": EU_PLAIN,
        "jp": {"ap-northeast-1": "JP"},
        "global": GLOBAL,
    },
    "amazon.nova-premier-v1:0": {"us": {US3: "US"}},
    "amazon.titan-embed-text-v2:0": {
        "in-region": {
            f"{US3} {GOV} ca-central-1 {EU6} eu-central-2 eu-west-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 "
            "ap-south-1 ap-south-2 ap-southeast-2 sa-east-1": ""
        }
    },
    "amazon.rerank-v1:0": {"in-region": {RERANK: ""}},
    "cohere.rerank-v3-5:0": {"in-region": {f"{RERANK} us-east-1": ""}},
    "cohere.embed-english-v3": {"in-region": EMBED_3},
    "cohere.embed-multilingual-v3": {"in-region": EMBED_3},
    "cohere.embed-v4:0": {
        "in-region": {"us-east-1 eu-west-1 ap-northeast-1": ""},
        "us": {US4: "US"},
        "eu": EU_CLAUDE,
        "global": GLOBAL,
    },
    "deepseek.r1-v1:0": {"us": {US3: "US"}},
    "meta.llama3-8b-instruct-v1:0": {"in-region": LLAMA_3},
    "meta.llama3-70b-instruct-v1:0": {"in-region": LLAMA_3},
    "meta.llama3-3-70b-instruct-v1:0": {"in-region": {"us-east-2": ""}, "us": {US3: "US"}},
    "meta.llama4-maverick-17b-instruct-v1:0": {"us": {US4: "US"}},
    "mistral.mistral-large-2402-v1:0": {
        "in-region": {
            "us-east-1 us-west-2 ca-central-1 eu-west-1 eu-west-2 eu-west-3 ap-south-1 ap-southeast-2 sa-east-1": ""
        }
    },
    "mistral.mistral-large-3-675b-instruct": {"in-region": {LARGE_3: ""}},
    "mistral.ministral-3-14b-instruct": {"in-region": MINISTRAL},
    "mistral.magistral-small-2509": {"in-region": MINISTRAL},
    "mistral.devstral-2-123b": {"in-region": {f"{LARGE_3} eu-central-1 eu-north-1 ap-southeast-3": ""}},
    "mistral.pixtral-large-2502-v1:0": {
        "us": {US3: "US"},
        "eu": {"eu-central-1 eu-north-1 eu-west-1 eu-west-3": "DE FR IE SE"},
    },
    "openai.gpt-oss-120b-1:0": {"in-region": GPT_OSS},
    "openai.gpt-oss-20b-1:0": {"in-region": GPT_OSS},
}


def entered() -> Iterator[tuple[Key, str]]:
    for model, ways in BEDROCK.items():
        for via, calls in ways.items():
            for places, countries in calls.items():
                for place in places.split():
                    yield ("bedrock", model, via, place), countries


SETS = {
    "aws-eu4": "eu-central-1 eu-north-1 eu-west-1 eu-west-3",
    "aws-ca": "ca-central-1 ca-west-1",
    "aws-jp": "ap-northeast-1 ap-northeast-3",
    "aws-au": "ap-southeast-2 ap-southeast-4",
    "aws-apac5": "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2",
    "aws-apac6": "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2",
    "aws-apac8": (
        "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 "
        "ap-southeast-4"
    ),
    "aws-apac9": (
        "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 "
        "ap-southeast-3 ap-southeast-4"
    ),
    "aws-bedrock": BEDROCK_REGIONS,
}


def check_sets(catalogue: Catalogue) -> None:
    for name, members in SETS.items():
        assert set(catalogue.sets[name]) == set(members.split()), name
        assert len(catalogue.sets[name]) == len(members.split()), name


FROM_CARDS = """
claude-opus-4-8 us eu jp au · claude-sonnet-4-5-20250929-v1:0 us us-gov eu jp au global ·
claude-sonnet-4-20250514-v1:0 eu · nova-pro-v1:0 in-region us eu · nova-2-lite-v1:0 us · embed-v4:0 in-region us eu ·
llama3-3-70b-instruct-v1:0 in-region us
"""
IN_KNOWLEDGE_BASES = {"amazon.titan-embed-text-v2:0", "cohere.embed-english-v3", "cohere.embed-multilingual-v3"}


def source_on_bedrock(model: str, via: str) -> str:
    cards = {tuple(line.split(maxsplit=1)) for line in " ".join(FROM_CARDS.split()).split(" · ")}
    short = model.split(".", 1)[1]
    if any(name == short and via in vias.split() for name, vias in cards):
        return "bedrock-cards"
    if (short, via) == ("claude-opus-4-7", "eu"):
        return "bedrock-listed-by-users"
    if via == "global" and short != "claude-sonnet-4-20250514-v1:0":
        return "bedrock-global-callers"
    if via == "in-region":
        return "bedrock-knowledge-bases" if model in IN_KNOWLEDGE_BASES else "bedrock-offered"
    return "bedrock-mantle" if via == "mantle" else "bedrock-profiles"


ENTERED = list(entered())


def check_countries(catalogue: Catalogue) -> None:
    assert_served(catalogue, "bedrock", ENTERED)


APAC_6 = "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2"
APAC_8 = f"{APAC_6} ap-south-2 ap-southeast-4"
DESTINATIONS = {
    "us": US3,
    "us-gov": GOV,
    "ca": "ca-central-1 ca-west-1",
    "jp": "ap-northeast-1 ap-northeast-3",
    "au": "ap-southeast-2 ap-southeast-4",
    "eu": EU6,
    "apac": APAC_8,
}
"""Besides the region called, which AWS counts among them."""
OF_FEWER_REGIONS = {
    "eu": "eu-central-1 eu-north-1 eu-west-1 eu-west-3",
    "apac": APAC_6,
}
"""Of Nova's first generation and of Pixtral."""


def destinations(model: str, via: str, called: str) -> set[str]:
    """The regions of a way that stays in a region or a zone."""
    fewer = model.startswith(("amazon.nova-pro", "amazon.nova-lite", "amazon.nova-micro", "mistral.pixtral"))
    if via == "apac" and (called in APAC_FAR or called == "ap-southeast-4"):
        far = {"ap-southeast-3"} if called in APAC_FAR else set()
        return {*APAC_8.split(), called} | far
    zone = {called, *(OF_FEWER_REGIONS if fewer else DESTINATIONS).get(via, DESTINATIONS.get(via, "")).split()}
    return zone | {"eu-south-1"} if fewer and called == "il-central-1" else zone


def check_destinations(catalogue: Catalogue) -> None:
    for (_, model, via, called), _countries in ENTERED:
        if via != "global":
            calls = catalogue.models["bedrock"][model].ways[via].calls
            terms = calls.get(called) or next(calls[name] for name in calls if called in catalogue.sets.get(name, ()))
            assert regions(catalogue, terms, called) == destinations(model, via, called), (model, via, called)


def regions(catalogue: Catalogue, terms: Iterable[str], called: str) -> set[str]:
    plain = (called if term == "self" else term for term in terms)
    return {region for term in plain for region in catalogue.sets.get(term, (term,))}


def check_sources(catalogue: Catalogue) -> None:
    for name, model in catalogue.models["bedrock"].items():
        for via, way in model.ways.items():
            assert way.source == source_on_bedrock(name, via), (name, via)


def test_every_way_from_every_region_is_answered_where_its_source_says(catalogue: Catalogue) -> None:
    check_countries(catalogue)


def test_a_zone_has_the_regions_that_its_source_says(catalogue: Catalogue) -> None:
    check_destinations(catalogue)


def test_sets_of_regions_have_their_members_and_no_other(catalogue: Catalogue) -> None:
    check_sets(catalogue)


def test_ways_cite_what_says_so(catalogue: Catalogue) -> None:
    check_sources(catalogue)
