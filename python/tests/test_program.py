"""Tests of the program that the wheel brings."""

import json
import pathlib
import subprocess
import sys

import api_patterns

PROGRAM = pathlib.Path(sys.executable).parent / ("api-patterns.exe" if sys.platform == "win32" else "api-patterns")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=True).stdout


def test_the_program_has_the_version_of_the_module():
    assert run("--version") == f"api-patterns {api_patterns.__version__}\n"


def test_program_and_module_answer_alike(fixture):
    report = api_patterns.analyze(fixture("demo.mitm"))
    answer = json.loads(run("analyze", fixture("demo.mitm"), "--format", "json"))
    assert answer["patterns"] == json.loads(report.to_json())["patterns"]


def test_the_program_names_the_addon_that_was_installed_with_it():
    addon = pathlib.Path(run("addon").rstrip("\n"))
    assert addon.read_text().startswith('"""Observes the traffic of a proxy')
    assert addon.parents[1] == pathlib.Path(api_patterns.__file__).resolve().parent
