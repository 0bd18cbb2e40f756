"""The regimes and the groups they speak of, entered a second time with every country written out."""

from typing import NamedTuple

from regions.catalogue import PURPOSES, Catalogue, Custody, Evidence, TransferMode
from regions.residency import DataClass, Purpose

EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EEA = f"{EU} IS LI NO"
HOST = "JP"
CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""


class Entry(NamedTuple):
    """``where``: the countries of all five purposes; ``custody``: empty where anybody may hold the keys."""

    where: str
    transfers: str
    source: str
    evidence: str = ""
    custody: str = ""
    fixed: str = ""
    relaxed: str = "rest process logs backup keys"


ENTRIES = {
    "eu-gdpr": Entry(EEA, "documented", "eu-adequacy", custody="customer external"),
    "eu-strict": Entry(EU, "none", "eu-strict-demand", custody="customer external"),
    "uk-gdpr": Entry("GB", "adequacy", "uk-adequacy"),
    "ch-fadp": Entry("CH", "adequacy", "ch-annex-1"),
    "in-dpdp": Entry("IN", "documented", "in-dpdp", fixed="payment", relaxed="process"),
    "sa-pdpl": Entry("SA", "documented", "sa-pdpl"),
    "ae-pdpl": Entry("AE", "documented", "ae-pdpl", fixed="health payment"),
    "ca-pipeda": Entry("CA", "documented", "ca-pipeda"),
    "ca-qc-law25": Entry("CA", "documented", "ca-qc-s17", evidence="pia_ref"),
    "br-lgpd": Entry("BR", "adequacy", "br-anpd"),
    "au-app8": Entry("AU", "documented", "au-app8", fixed="health"),
    "jp-appi": Entry("JP", "adequacy", "jp-appi"),
    "sg-pdpa": Entry("SG", "documented", "sg-pdpa"),
    "us-hipaa": Entry("US", "documented", "us-hipaa", evidence="baa_ref"),
    "us-cjis": Entry("US", "none", "us-cjis", evidence="data_boundary_ref", custody="customer external"),
    "us-itar": Entry("US", "none", "us-itar", evidence="screened_personnel_ref"),
    "cn-pipl": Entry("CN", "none", "cn-pipl"),
    "host-country": Entry(HOST, "none", "loomstead"),
}
PARTITIONS = {
    "us-cjis": {"aws": ("aws-us-gov",), "azure": ("usgovernment",), "gcp": ("googleapis.com",)},
    "us-itar": {"aws": ("aws-us-gov",), "azure": ("usgovernment",), "gcp": ()},
    "cn-pipl": {"aws": ("aws-cn",), "azure": ("china",), "gcp": ()},
}


def check_groups(catalogue: Catalogue) -> None:
    assert sorted(catalogue.groups["eu"].countries) == sorted(EU.split())
    assert sorted(catalogue.groups["eea"].countries) == sorted(EEA.split())


def check_countries(catalogue: Catalogue) -> None:
    names = catalogue.countries.names
    assert sorted(names) == CODES.split()
    assert len(set(names.values())) == len(names) == 249


def check_where(catalogue: Catalogue) -> None:
    assert {
        (name, purpose): catalogue.expand(getattr(regime, purpose), HOST)
        for name, regime in catalogue.regimes.items()
        for purpose in PURPOSES
    } == {(name, purpose): set(entry.where.split()) for name, entry in ENTRIES.items() for purpose in PURPOSES}


def check_host_regime(catalogue: Catalogue) -> None:
    regime = catalogue.regimes["host-country"]
    assert all(
        catalogue.expand(getattr(regime, purpose), host) == {host} for purpose in PURPOSES for host in ("DE", "US")
    )


def check_terms(catalogue: Catalogue) -> None:
    for name, regime in catalogue.regimes.items():
        entry = ENTRIES[name]
        assert regime.transfer_mode is TransferMode(entry.transfers), name
        assert regime.source == entry.source, name
        assert regime.require == tuple(Evidence(key) for key in entry.evidence.split()), name
        assert set(regime.relaxed) == set(entry.relaxed.split()), name
        assert set(regime.fixed) == {DataClass(known) for known in entry.fixed.split()}, name


def check_custody(catalogue: Catalogue) -> None:
    for name, regime in catalogue.regimes.items():
        expected = ENTRIES[name].custody.split() or list(Custody)
        assert sorted(regime.custody) == sorted(expected), name


def check_partitions(catalogue: Catalogue) -> None:
    assert {name: regime.partitions for name, regime in catalogue.regimes.items() if regime.partitions} == PARTITIONS


def test_the_groups_have_their_members(catalogue: Catalogue) -> None:
    check_groups(catalogue)


def test_every_country_code_of_iso_3166_is_known_and_no_other(catalogue: Catalogue) -> None:
    check_countries(catalogue)


def test_every_regime_keeps_every_purpose_in_its_countries(catalogue: Catalogue) -> None:
    check_where(catalogue)


def test_the_host_regime_is_the_country_of_the_machine_alone(catalogue: Catalogue) -> None:
    check_host_regime(catalogue)


def test_every_regime_has_its_ground_evidence_and_fixed_classes(catalogue: Catalogue) -> None:
    check_terms(catalogue)


def test_every_regime_says_who_may_hold_the_keys(catalogue: Catalogue) -> None:
    check_custody(catalogue)


def test_three_regimes_are_bound_to_partitions(catalogue: Catalogue) -> None:
    check_partitions(catalogue)


def test_the_purposes_of_a_regime_are_those_of_a_boundary() -> None:
    assert tuple(Purpose) == PURPOSES
