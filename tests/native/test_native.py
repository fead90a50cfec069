"""The C++ tests of parser and crops, built with the address and undefined-behaviour sanitizers, and fuzzed."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(not (shutil.which("g++") and shutil.which("make")), reason="needs g++ and make")
def test_sanitized(tmp_path: Path) -> None:
    command = ["make", "-s", "check", f"BUILD={tmp_path}", "CXX=g++", "ROUNDS=1000"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("ok") == 2
