"""Fixtures that every test may ask for; what they give is said in their modules."""

import os

from hypothesis import settings

os.environ.pop("COLUMNS", None)  # a process of xdist's is given one: what is printed here is no terminal's

settings.register_profile("loomstead", deadline=None)  # time decides no test
settings.load_profile("loomstead")

pytest_plugins = [
    "tests.fixtures.parallel",
    "tests.fixtures.postgres",
    "tests.fixtures.temporal",
    "tests.fixtures.issuer",
    "tests.fixtures.orders",
    "tests.fixtures.bench",
    "tests.fixtures.gateway",
    "tests.fixtures.installed",
    "tests.fixtures.desk",
    "tests.fixtures.kubernetes",
    "tests.fixtures.pods",
    "tests.fixtures.workloads",
    "tests.fixtures.step_functions",
]
