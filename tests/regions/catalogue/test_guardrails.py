"""Where guardrail profiles evaluate text, entered a second time, and in countries."""

from regions.catalogue import Catalogue
from regions.endpoints import guardrail

US = "us-east-1 us-east-2 us-west-2"
UNION = "eu-central-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-3"
PACIFIC = "AU ID IN JP KR SG"
GUARDRAILS: dict[str, dict[str, str]] = {
    "us.guardrail.v1:0": {f"{US} us-west-1": "US"},
    "us-gov.guardrail.v1:0": {"us-gov-east-1 us-gov-west-1": "US"},
    "eu.guardrail.v1:0": {UNION: "DE ES FR IE IT SE", "il-central-1": "DE ES FR IE IL IT SE"},
    "uk.guardrail.v1:0": {"eu-west-2": "GB"},
    "ca.guardrail.v1:0": {"ca-central-1 ca-west-1": "CA"},
    "au.guardrail.v1:0": {"ap-southeast-2": "AU"},
    "apac.guardrail.v1:0": {
        "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 "
        "ap-southeast-3 ap-southeast-4": PACIFIC,
        "me-central-1": f"AE {PACIFIC}",
    },
}


def check_guardrails(catalogue: Catalogue) -> None:
    assert catalogue.guardrails.keys() == GUARDRAILS.keys()
    for profile, calls in GUARDRAILS.items():
        places = {place for places in calls for place in places.split()}
        starts = catalogue.guardrails[profile].calls
        assert {place for name in starts for place in catalogue.sets.get(name, (name,))} == places
        for names, countries in calls.items():
            for place in names.split():
                assert guardrail(catalogue, profile, place) == tuple(sorted(countries.split())), (profile, place)


def check_destinations(catalogue: Catalogue) -> None:
    """Regions whose country others of the same profile have too."""
    profiles = catalogue.guardrails
    assert profiles["us.guardrail.v1:0"].calls["us-west-1"] == ("aws-us3", "self")
    assert {profile.source for profile in profiles.values()} == {"bedrock-guardrails"}


def test_guardrail_profiles_send_text_where_their_source_says(catalogue: Catalogue) -> None:
    check_guardrails(catalogue)
    check_destinations(catalogue)
