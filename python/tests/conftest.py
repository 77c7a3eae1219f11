"""What the tests share."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


@pytest.fixture
def fixture():
    """The path of a file of the project."""
    return lambda name: str(ROOT / "fixtures" / name)


@pytest.fixture
def shared():
    """The path of a file of the folder beside the project; skips, and says so, where it is missing."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"../shared/{name} is not here")
        return path

    return find
