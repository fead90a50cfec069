from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.models.conftest import CONTENT, SHA256, Served, Server
from trt_pose_app.errors import ChecksumError, ConfigError, ModelError, ModelNotFoundError
from trt_pose_app.models.download import copy, fetch

QUICK = {"timeout_s": 1.0, "backoff_s": 0.01}
HALF = len(CONTENT) // 2


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "net.onnx"


def _only(target: Path) -> bool:
    """Whether nothing but the finished file is left."""
    return [path.name for path in target.parent.iterdir()] == [target.name] and target.read_bytes() == CONTENT


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_good_transfer_leaves_the_file_and_nothing_else(server: Server, target: Path, sha256: str | None) -> None:
    seen: list[tuple[int, int | None]] = []
    url = server.add("net", Served())
    assert fetch([url], target, sha256, lambda *progress: seen.append(progress), **QUICK) == SHA256
    assert _only(target)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("served", "ranges_asked"),
    [
        pytest.param(Served(break_after=HALF), [None, f"bytes={HALF}-"], id="resumed where it broke"),
        pytest.param(Served(break_after=HALF // 2, breaks=5), None, id="broken five times, but always a bit further"),
        pytest.param(Served(break_after=HALF, ranges=False), None, id="a server without ranges starts again"),
        pytest.param(Served(break_after=HALF, etag=None), None, id="no validator: the checksum guards the seam"),
        pytest.param(Served(statuses=[503, 429]), None, id="busy twice"),
    ],
)
def test_broken_transfers_are_mended(
    server: Server, target: Path, served: Served, ranges_asked: list[str | None] | None
) -> None:
    fetch([server.add("net", served)], target, SHA256, **QUICK)
    assert _only(target)
    if ranges_asked is not None:
        assert [request.get("Range") for request in served.requests] == ranges_asked
        assert served.requests[1]["If-Range"] == served.etag


def test_an_interrupted_download_is_resumed_by_the_next_call(server: Server, target: Path) -> None:
    served = Served(break_after=HALF, breaks=1)
    url = server.add("net", served)
    with pytest.raises(ModelNotFoundError, match=f"broke off after {HALF} of {len(CONTENT)}"):
        fetch([url], target, None, attempts=1, **QUICK)
    assert not target.exists()
    assert target.with_name("net.onnx.part").stat().st_size == HALF
    fetch([url], target, None, **QUICK)
    assert _only(target)
    assert served.requests[-1]["Range"] == f"bytes={HALF}-"


def test_a_file_that_changed_in_between_is_fetched_anew(server: Server, target: Path) -> None:
    served = Served(content=b"old" * 100_000, break_after=1000, breaks=1)
    url = server.add("net", served)
    with pytest.raises(ModelNotFoundError):
        fetch([url], target, None, attempts=1, **QUICK)
    served.content, served.etag = CONTENT, '"2"'
    fetch([url], target, None, **QUICK)
    assert _only(target)


def test_without_validator_and_checksum_nothing_is_joined(server: Server, target: Path) -> None:
    served = Served(etag=None, break_after=HALF)
    fetch([server.add("net", served)], target, None, **QUICK)
    assert _only(target)
    assert all("Range" not in request for request in served.requests)


def test_a_part_of_another_file_is_found_out_by_the_checksum(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("net.onnx.part").write_bytes(b"x" * 1000)
    fetch([server.add("net", Served())], target, SHA256, **QUICK)
    assert _only(target)


def test_a_part_longer_than_the_file_is_dropped(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("net.onnx.part").write_bytes(CONTENT + b"more")
    fetch([server.add("net", Served())], target, SHA256, **QUICK)
    assert _only(target)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Served(statuses=[404] * 9), "HTTP 404 Not Found"),
        (Served(statuses=[500] * 9), "HTTP 500 Internal Server Error"),
        (Served(content=b"other"), "not " + SHA256),
        (Served(content=b"<html>", content_type="text/html; charset=utf-8"), "web page"),
        (Served(location="file:///etc/passwd"), "HTTP 302 Found"),
        (Served(location="http://user:secret@127.0.0.1/net"), "not allowed here"),
        (Served(break_after=0, breaks=99), f"broke off after 0 of {len(CONTENT)} bytes"),
        (Served(break_after=1000, breaks=99, ranges=False), f"broke off after 1000 of {len(CONTENT)} bytes"),
    ],
)
def test_the_next_mirror_helps_where_one_fails(server: Server, target: Path, bad: Served, reason: str) -> None:
    first, second = server.add("bad?token=hidden".partition("?")[0], bad) + "?token=hidden", server.url("good")
    with pytest.raises((ModelNotFoundError, ChecksumError)) as caught:
        fetch([first, second], target, SHA256, **QUICK)
    assert reason in caught.value.message
    assert "HTTP 404" in caught.value.message  # the second is not there either
    assert "hidden" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not target.exists()
    bad.statuses, bad.breaks = [404], 99
    server.add("good", Served())
    fetch([first, second], target, SHA256, **QUICK)
    assert _only(target)


def test_a_wrong_checksum_leaves_nothing(server: Server, target: Path) -> None:
    with pytest.raises(ChecksumError, match="not " + "0" * 64):
        fetch([server.add("net", Served())], target, "0" * 64, **QUICK)
    assert list(target.parent.iterdir()) == []


def test_a_redirect_to_http_is_followed_with_its_range(server: Server, target: Path) -> None:
    served = Served(break_after=HALF)
    real = server.add("real", served)
    fetch([server.add("net", Served(location=real))], target, SHA256, **QUICK)
    assert _only(target)
    assert served.requests[1]["Range"] == f"bytes={HALF}-"


def test_a_server_that_is_not_there(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ModelNotFoundError, match="Connection refused"):
        fetch([f"http://127.0.0.1:{port}/net"], target, SHA256, **QUICK)
    assert list(target.parent.iterdir()) == []


def test_a_server_that_does_not_answer(server: Server, target: Path) -> None:
    hold = threading.Event()
    url = server.add("net", Served(hold=hold))
    started = time.monotonic()
    with pytest.raises(ModelNotFoundError, match="not answer in time"):
        fetch([url], target, SHA256, timeout_s=0.2, attempts=2, backoff_s=0.01)
    assert time.monotonic() - started < 3
    hold.set()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/net", "http:///net", "http://u:p@host/n", "http://["]
)
def test_only_plain_http_addresses_are_taken(target: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fetch([url], target, None)
    assert "u:p" not in str(caught.value)


def test_a_right_file_is_kept_and_a_damaged_one_replaced(server: Server, target: Path) -> None:
    served = Served()
    url = server.add("net", served)
    fetch([url], target, SHA256, **QUICK)
    fetch([url], target, SHA256, **QUICK)
    assert len(served.requests) == 1
    fetch([url], target, SHA256, force=True, **QUICK)
    assert len(served.requests) == 2
    target.write_bytes(b"damaged")
    fetch([url], target, SHA256, **QUICK)
    assert _only(target)


def test_more_than_the_disk_holds_is_refused_before_it_starts(server: Server, target: Path) -> None:
    with pytest.raises(ModelError, match=r"free, net\.onnx needs 1000000000 MB more"):
        fetch([server.add("net", Served(announce=10**15))], target, SHA256, **QUICK)
    assert list(target.parent.iterdir()) == []


LIMITED = """
import resource, sys
from pathlib import Path
from trt_pose_app.errors import ModelError
from trt_pose_app.models.download import fetch
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # writing beyond fails, like a full disk
try:
    fetch([sys.argv[1]], Path(sys.argv[2]), None)
except ModelError as error:
    sys.exit(f"{type(error).__name__}: {error.message} | {error.hint}")
"""


def test_a_disk_that_fills_up_keeps_what_came_for_later(server: Server, target: Path) -> None:
    served = Served()
    url = server.add("net", served)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, url, str(target)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "ModelError: cannot write" in done.stderr
    assert "no space is left | free some space" in done.stderr
    assert not target.exists()
    assert target.with_name("net.onnx.part").stat().st_size == 100_000
    fetch([url], target, None, **QUICK)
    assert served.requests[-1]["Range"] == "bytes=100000-"
    assert _only(target)


FETCHING = """
import sys
from pathlib import Path
from trt_pose_app.models.download import fetch
print(fetch([sys.argv[1]], Path(sys.argv[2]), sys.argv[3] or None))
"""


def _process(url: str, target: Path, sha256: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCHING, url, str(target), sha256]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("sha256", [SHA256, ""])
def test_two_processes_fetch_one_file_once(server: Server, target: Path, sha256: str) -> None:
    served = Served(hold=threading.Event())
    url = server.add("net", served)
    processes = [_process(url, target, sha256) for _ in range(2)]
    _wait_until(lambda: len(served.requests) == 1)
    assert served.hold is not None
    served.hold.set()
    for process in processes:
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out.strip()) == (0, SHA256), err
    assert len(served.requests) == 1
    assert _only(target)


def test_ctrl_c_keeps_the_part(server: Server, target: Path) -> None:
    silent = threading.Event()
    url = server.add("net", Served(content=CONTENT[:HALF], announce=len(CONTENT), stall=silent))
    process = _process(url, target, "")
    part = target.with_name("net.onnx.part")
    _wait_until(lambda: part.exists() and part.stat().st_size == HALF)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    silent.set()
    assert "KeyboardInterrupt" in err
    assert part.read_bytes() == CONTENT[:HALF]
    assert not target.exists()


def test_a_copy_is_verified_too(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "stick.onnx"
    source.write_bytes(CONTENT)
    with pytest.raises(ChecksumError, match=r"stick\.onnx was not installed"):
        copy(source, target, "0" * 64)
    assert list(target.parent.iterdir()) == []
    assert copy(source, target, SHA256) == SHA256
    assert _only(target)
    assert source.exists()


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write") as caught:
        fetch(["http://127.0.0.1:9/net"], tmp_path / "file" / "net.onnx", None)
    assert "--to DIRECTORY" in caught.value.hint


def test_the_part_of_a_killed_process_is_not_locked(server: Server, target: Path) -> None:
    served = Served(hold=threading.Event())
    url = server.add("net", served)
    process = _process(url, target, SHA256)
    _wait_until(lambda: len(served.requests) == 1)
    process.kill()
    process.communicate(timeout=20)
    assert served.hold is not None
    served.hold.set()
    fetch([url], target, SHA256, **QUICK)
    assert _only(target)


def _wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
