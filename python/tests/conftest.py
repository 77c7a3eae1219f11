"""Fixtures shared by the tests."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


@pytest.fixture
def fixture():
    """Return the path of a file of the project."""
    return lambda name: str(ROOT / "fixtures" / name)


@pytest.fixture
def shared():
    """Return the path of a file in the folder of corpora outside of the repository. Skips the test if it is missing."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"../shared/{name} is not here")
        return path

    return find
