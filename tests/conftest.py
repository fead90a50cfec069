"""Tests marked ``shared`` need the folder ``../shared`` of photos, videos and networks; elsewhere they skip.

What a verb does to logging ends with its test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo ``set_up_logging`` of verbs that run inside the test's own process."""
    root = logging.getLogger()
    names = [None, "trt_pose_app", "converters"]
    levels = [logging.getLogger(name).level for name in names]
    handlers = [*root.handlers]
    yield
    for name, level in zip(names, levels):
        logging.getLogger(name).setLevel(level)
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
