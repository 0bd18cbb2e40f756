"""Where telemetry hosts keep what they are sent, entered a second time by country."""

from regions.catalogue import Catalogue

HOSTS = {
    ("Datadog", "datadog-sites", "US"): "datadoghq.com us3.datadoghq.com us5.datadoghq.com ddog-gov.com",
    ("Datadog", "datadog-sites", "DE"): "datadoghq.eu",
    ("Datadog", "datadog-sites", "JP"): "ap1.datadoghq.com",
    ("Datadog", "datadog-sites", "AU"): "ap2.datadoghq.com",
    ("Datadog", "datadog-uk1", "GB"): "uk1.datadoghq.com",
    ("Langfuse", "langfuse-regions", "IE"): "cloud.langfuse.com",
    ("Langfuse", "langfuse-regions", "US"): "us.cloud.langfuse.com hipaa.cloud.langfuse.com",
    ("Langfuse", "langfuse-regions", "JP"): "jp.cloud.langfuse.com",
    ("Sentry", "sentry-storage", "US"): "sentry.io us.sentry.io",
    ("Sentry", "sentry-storage", "DE"): "de.sentry.io",
}


def check_hosts(catalogue: Catalogue) -> None:
    entered = {
        name: (vendor, source, (country,))
        for (vendor, source, country), names in HOSTS.items()
        for name in names.split()
    }
    known = catalogue.telemetry.items()
    assert {name: (host.vendor, host.source, host.countries) for name, host in known} == entered


def test_every_host_is_in_its_country(catalogue: Catalogue) -> None:
    check_hosts(catalogue)
