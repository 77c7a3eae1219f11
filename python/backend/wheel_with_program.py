"""Builds the wheel with the program in it, for `pip install` from sources.

maturin builds a wheel with a module or with programs, not with both, but it takes files for the folder of programs as they are.
This backend builds the program with cargo, puts it there, and leaves everything else to maturin. Where the variable
API_PATTERNS_PROGRAM names a program, that one is taken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import maturin
from maturin import (  # noqa: F401 -- what is left to maturin as it is
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

NAME = "api-patterns.exe" if os.name == "nt" else "api-patterns"
SCRIPTS = Path("api_patterns.data/scripts")


def project() -> Path:
    """Returns the folder of the program's manifest: in an archive of sources this folder, in the repository the one above."""
    return next(folder for folder in (Path(), Path("..")) if (folder / "src/main.rs").exists())


def build_program() -> Path:
    """Builds the program and returns its path."""
    target = (project() / "target/program").absolute()
    command = ["cargo", "build", "--profile", "dist", "--bin", "api-patterns", "--target-dir", str(target)]
    # An archive of sources has the lock file of the repository, which names crates of packages that the archive lacks.
    if (project() / "xtask").exists():
        command.append("--locked")
    # Standard output belongs to the caller of the backend.
    subprocess.run(command, cwd=project(), check=True, stdout=subprocess.DEVNULL)
    return target / "dist" / NAME


def empty_scripts() -> None:
    """Makes the folder of programs, without which maturin does nothing, and empties it."""
    shutil.rmtree(SCRIPTS.parent, ignore_errors=True)
    SCRIPTS.mkdir(parents=True)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    given = os.environ.get("API_PATTERNS_PROGRAM")
    program = Path(given) if given else build_program()
    empty_scripts()
    shutil.copy(program, SCRIPTS / NAME)
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    empty_scripts()
    return maturin.build_sdist(sdist_directory, config_settings)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    empty_scripts()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    empty_scripts()
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
