"""Puts weir.py of the integration tests, and this folder, where imports find them."""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import weir  # noqa: E402  (after the path is set)


def pytest_configure(config):
    if not os.access(weir.program(), os.X_OK):
        pytest.exit(f"{weir.program()} is not there: run make first, or set WEIR", returncode=2)
