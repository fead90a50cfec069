from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from tests.models.conftest import CONTENT, SHA256, Served, Server
from tests.models.test_store import spec_text
from trt_pose_app.errors import ChecksumError, ModelError, ModelNotFoundError
from trt_pose_app.models.pull import pull, pull_from
from trt_pose_app.models.zoo import ZooEntry


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


GOOD_ZIP = zipped(end2end_onnx=CONTENT, pipeline_json=b"{}")


def entry(*urls: str, **changes: object) -> ZooEntry:
    facts: dict[str, object] = {
        "name": "net",
        "kind": "simcc",
        "format": "onnx",
        "skeleton": "coco17",
        "width": 192,
        "height": 256,
        "licence": "MIT",
        "source": "https://example.org",
        "urls": urls,
    }
    return ZooEntry.model_validate(facts | changes)


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_file_is_fetched_and_its_checksum_recorded(server: Server, tmp_path: Path, sha256: str | None) -> None:
    pulled = pull(entry(server.add("net.onnx", Served()), sha256=sha256), tmp_path)
    assert (pulled.path, pulled.sha256, pulled.verified) == (tmp_path / "net.onnx", SHA256, sha256 is not None)
    assert _names(tmp_path) == ["net.onnx", "net.onnx.sha256"]
    assert (tmp_path / "net.onnx.sha256").read_text() == f"{SHA256}  net.onnx\n"


def test_the_network_is_taken_out_of_an_archive(server: Server, tmp_path: Path) -> None:
    served = Served(content=GOOD_ZIP, break_after=len(GOOD_ZIP) // 2)
    model = entry(server.add("x.zip", served), sha256=SHA256, archive_sha256=hashlib.sha256(GOOD_ZIP).hexdigest())
    assert pull(model, tmp_path).verified
    assert _names(tmp_path) == ["net.onnx", "net.onnx.sha256"]
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT
    count = len(served.requests)
    pull(model, tmp_path)
    assert len(served.requests) == count
    pull(model, tmp_path, force=True)
    assert len(served.requests) == count + 1


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (zipped(end2end_onnx=b"another"), "its sha256 is"),
        (zipped(a_onnx=CONTENT, b_onnx=CONTENT), "holds 2 .onnx files"),
        (zipped(readme_txt=b""), "holds 0 .onnx files"),
        (b"no archive at all", "no intact archive"),
        (GOOD_ZIP.replace(CONTENT[:256], CONTENT[:255] + b"!", 1), "no intact archive: Bad CRC-32"),
    ],
)
def test_a_bad_archive_leaves_nothing_and_the_next_mirror_is_asked(
    server: Server, tmp_path: Path, archive: bytes, reason: str
) -> None:
    urls = server.add("x.zip", Served(content=archive)), server.url("net.onnx")
    with pytest.raises(ChecksumError) as caught:
        pull(entry(*urls, sha256=SHA256), tmp_path)
    assert reason in caught.value.message
    assert "HTTP 404" in caught.value.message
    assert _names(tmp_path) == []
    server.add("net.onnx", Served())
    assert pull(entry(*urls, sha256=SHA256), tmp_path).verified


def test_no_mirror_delivers(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"HTTP 404 Not Found; .*HTTP 404"):
        pull(entry(server.url("a.zip"), server.url("b.zip"), server.url("c.onnx")), tmp_path)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("as_folder", [True, False])
def test_from_a_stick_with_the_spec_beside_it(tmp_path: Path, as_folder: bool) -> None:
    stick, models = tmp_path / "stick", tmp_path / "models"
    stick.mkdir()
    (stick / "own.onnx").write_bytes(CONTENT)
    (stick / "own.toml").write_text(spec_text("own", SHA256))
    pulled = pull_from(stick if as_folder else stick / "own.onnx", "own", models, [models])
    assert pulled.verified
    assert _names(models) == ["own.onnx", "own.onnx.sha256", "own.toml"]


def test_from_a_stick_checked_by_a_spec_that_is_here(tmp_path: Path) -> None:
    stick, models = tmp_path / "stick", tmp_path / "models"
    for folder in (stick, models):
        folder.mkdir()
    (stick / "own.onnx").write_bytes(CONTENT + b"damaged")
    (models / "own.toml").write_text(spec_text("own", SHA256))
    with pytest.raises(ChecksumError, match=r"own\.onnx was not installed"):
        pull_from(stick, "own", models, [models])
    assert _names(models) == ["own.toml"]


def test_from_a_stick_under_the_publishers_name(tmp_path: Path) -> None:
    name = "rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth"
    (tmp_path / name).write_bytes(b"not the real one")
    with pytest.raises(ChecksumError, match="not 05d8511e7b3fabc6"):
        pull_from(tmp_path, "rtmdet-nano-person", tmp_path / "models", [])
    archive = tmp_path / "rtmpose-t_simcc-body7_pt-body7_420e-256x192-026a1439_20230504.zip"
    archive.write_bytes(GOOD_ZIP)
    pulled = pull_from(tmp_path, "rtmpose-t-coco17", tmp_path / "models", [])
    assert (pulled.path.name, pulled.verified) == ("rtmpose-t-coco17.onnx", False)
    assert archive.exists()


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        (
            ".",
            "rtmdet-m-person",
            "has none of rtmdet-m-person.pth, rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth",
        ),
        (".", "own", r"has none of own\.onnx, own\.engine, own\.pth, own\.zip"),
        ("none.onnx", "own", "there is no file"),
        ("notes.txt", "own", "is no model file"),
    ],
)
def test_what_is_not_on_the_stick(tmp_path: Path, source: str, name: str, reason: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ModelError, match=reason):
        pull_from(tmp_path / source, name, tmp_path / "models", [])
