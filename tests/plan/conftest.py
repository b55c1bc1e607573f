"""Closes what the worlds keep open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plan.worlds import owner_connection


@pytest.fixture(scope="session", autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    owner_connection.cache_clear()
