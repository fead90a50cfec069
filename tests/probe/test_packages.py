import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.probe import probe
from trt_pose_app.probe.interpreter import probe_interpreter
from trt_pose_app.probe.packages import IMPORTED, probe_imports


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the import crashed with SIGSEGV"),
        ("import sys; sys.exit('I leave')", "SystemExit: I leave"),
        ("import os; os._exit(3)", "the import ended the interpreter with code 3"),
        ("import ctypes; ctypes.CDLL('libnvdla_compiler.so')", "OSError: libnvdla_compiler.so: cannot open shared"),
        ("import absent_dependency", "ModuleNotFoundError: No module named 'absent_dependency'"),
        ("print('hello'); __version__ = '1.2'", None),
    ],
)
def test_whatever_an_import_does_is_reported(modules: Path, source: str, error: str | None) -> None:
    (modules / "strange.py").write_text(source)
    found = probe_imports(["strange"])["strange"]
    assert not found.absent
    if error is None:
        assert found.works
        assert (found.version, found.file) == ("1.2", str(modules / "strange.py"))
    else:
        assert str(found.error).startswith(error)


def test_an_import_that_never_ends_is_given_up(modules: Path) -> None:
    (modules / "endless.py").write_text("import time; time.sleep(600)")
    start = time.monotonic()
    found = probe_imports(["endless", "json"], timeout_s=1.5)
    assert time.monotonic() - start < 10
    assert found["endless"].error == "the import had not ended after 1.5 s"
    assert found["json"].works


def test_absent_is_told_from_broken() -> None:
    found = probe_imports(["no_such_module"])["no_such_module"]
    assert found.absent
    assert not found.works


def test_a_module_for_another_numpy_is_recognised(modules: Path) -> None:
    (modules / "old.py").write_text("raise ImportError('numpy.core.multiarray failed to import')")
    assert probe_imports(["old"])["old"].numpy_abi


def test_this_machine_as_it_is() -> None:
    pytest.importorskip("cv2")
    facts = probe()
    assert set(facts.imports) == set(IMPORTED)
    assert facts.imports["cv2"].works
    assert set(facts.imports["cv2"].details) == {"gstreamer", "gui"}
    assert facts.versions["numpy"] == np.__version__
    assert facts.interpreter.version.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert facts.to_dict()["board"]["kernel"]


@pytest.mark.parametrize(
    ("settings", "kind", "sees"),
    [
        ("include-system-site-packages = true\n", "venv", True),
        ("home = /usr/bin\ninclude-system-site-packages = false\n", "venv", False),
        (None, None, True),
    ],
)
def test_the_environment_says_whether_it_sees_the_system(
    tmp_path: Path, settings: str | None, kind: str | None, sees: bool
) -> None:
    if settings:
        (tmp_path / "pyvenv.cfg").write_text(settings)
    found = probe_interpreter(tmp_path, tmp_path)
    assert (found.environment, found.system_packages) == (kind, sees)


def test_conda_does_not_see_the_system(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    found = probe_interpreter(tmp_path, tmp_path)
    assert (found.environment, found.system_packages) == ("conda", False)
