"""Puts this folder, the integration tests' helpers and the SDKs' kits where imports find them."""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "sdk")]

import weir  # noqa: E402  (after the path is set)
import world as worlds  # noqa: E402


def pytest_configure(config):
    if not os.access(weir.program(), os.X_OK):
        pytest.exit(f"{weir.program()} is not there: run make first, or set WEIR", returncode=2)


@pytest.fixture
def world(tmp_path):
    """See world.py."""
    with worlds.World(tmp_path) as made:
        yield made
