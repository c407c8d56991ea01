"""Fixtures of the integration tests; see weir.py for what they give."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import weir  # noqa: E402  (after the path is set)


def pytest_configure(config):
    if not os.access(weir.program(), os.X_OK):
        pytest.exit(f"{weir.program()} is not there: run make first, or set WEIR", returncode=2)


@pytest.fixture
def shop(tmp_path):
    """A folder of definitions without a fault."""
    return weir.write_files(tmp_path / "shop", weir.SHOP)


@pytest.fixture
def repository(tmp_path):
    """The same, committed and pushed."""
    return weir.Repository(tmp_path / "git", weir.SHOP)
