"""A latency table to draw."""

import pytest


@pytest.fixture(scope="session")
def table(genotype, make_table):
    return make_table(genotype.skeleton, (64, 96))
