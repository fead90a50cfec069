"""Tests marked ``shared`` need the folder ``../shared`` of photos, videos and networks; elsewhere they skip."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1] / "../shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason="needs the folder ../shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``../shared``, resolved."""
    return SHARED.resolve()
