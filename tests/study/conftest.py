"""A small study of two owners, as text and parsed, with a consortium of three."""

import copy
import tomllib

import pytest

from accord.study import keys
from accord.study.consortium import Consortium, ServerPlace

TEXT = """
[study]
name = "wages"
title = "Wages by region"
purpose = "A test"
expires = 2030-01-31
servers = ["alpha", "beta", "gamma"]

[domains.region]
values = ["north", "south"]
columns = { coast = ["yes", "no"] }

[publics.rate]
columns = [
  { name = "region", kind = "category", domain = "region" },
  { name = "rate", kind = "decimal", scale = 2, low = "0.00", high = "9.99" },
]
rows = [["north", "1.06"], ["south", "0.98"]]

[tables.wages]
owners = ["alpha", "beta"]
rows_max = 1000
owner_column = "region"
owner_values = { alpha = "north", beta = "south" }
columns = [
  { name = "region", kind = "category", domain = "region" },
  { name = "wage", kind = "int", low = 0, high = 1000000, nullable = true },
]

[[releases]]
name = "means"
title = "Mean wage"
sql = "SELECT region, AVG(wage) AS mean, COUNT(*) AS n FROM wages GROUP BY region"
recipients = ["alpha", "beta"]
rules = [{ rule = "minimum_count", column = "n", minimum = 3 }]
"""


@pytest.fixture
def content():
    return copy.deepcopy(tomllib.loads(TEXT))


@pytest.fixture(scope="session")
def party_keys():
    return {name: keys.generate(name) for name in ("alpha", "beta", "gamma")}


@pytest.fixture(scope="session")
def consortium(party_keys):
    places = tuple(ServerPlace(name, f"127.0.0.1:{7000 + at}", bytes([at]) * 32) for at, name in enumerate(party_keys))
    return Consortium({name: one.public for name, one in party_keys.items()}, places)
