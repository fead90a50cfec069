from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trt_pose_app.errors import ChecksumError, ModelError, ModelNotFoundError, ModelSpecError
from trt_pose_app.models.bundle import read_bundle
from trt_pose_app.models.checksum import record_sha256
from trt_pose_app.models.spec import METADATA_KEY, ModelSpec
from trt_pose_app.models.store import (
    cache_directory,
    default_search,
    expected_sha256,
    find,
    installed,
    packaged_directory,
)

SPEC = """
name = "{name}"
kind = "detector"
input = {{ name = "x", width = 8, height = 8, colour = "rgb" }}
outputs = {{ boxes = "y" }}
detector = {{ format = "boxes" }}
origin = {{ licence = "MIT"{rest} }}
"""


def spec_text(name: str, sha256: str | None = None) -> str:
    return SPEC.format(name=name, rest=f', sha256 = "{sha256}"' if sha256 else "")


def onnx_bytes(metadata: dict[str, str] | None = None) -> bytes:
    """An ONNX file without a graph: its version and metadata (all lengths below 128 take one byte, others two)."""
    content = b"\x08\x08"
    for key, value in (metadata or {}).items():
        entry = b"".join(
            bytes([tag]) + _varint(len(text)) + text for tag, text in ((10, key.encode()), (18, value.encode()))
        )
        content += b"\x72" + _varint(len(entry)) + entry
    return content


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def _embedded(tmp_path: Path, name: str) -> dict[str, str]:
    path = tmp_path / "embedded.toml"
    path.write_text(spec_text(name))
    return {METADATA_KEY: ModelSpec.read(path).to_json()}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    pair = tmp_path / "a", tmp_path / "b"
    for folder in pair:
        folder.mkdir()
    return pair


def test_the_spec_is_the_given_file_then_the_sidecar_then_the_metadata(tmp_path: Path) -> None:
    network, sidecar, given = (tmp_path / name for name in ("net.onnx", "net.toml", "given.toml"))
    network.write_bytes(onnx_bytes(_embedded(tmp_path, "inside")))
    assert read_bundle(network).spec.name == "inside"
    sidecar.write_text(spec_text("beside"))
    assert read_bundle(network).spec.name == "beside"
    given.write_text(spec_text("given"))
    assert read_bundle(network, given).spec.name == "given"


def test_without_a_spec_nothing_is_guessed(tmp_path: Path) -> None:
    network = tmp_path / "openpose.onnx"
    network.write_bytes(onnx_bytes())
    with pytest.raises(ModelSpecError, match="nothing says how to use") as caught:
        read_bundle(network)
    assert "--spec FILE" in caught.value.hint


def test_a_checkpoint_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"")
    with pytest.raises(ModelSpecError) as caught:
        find(str(tmp_path / "net.pth"))
    assert "make one with `trt-pose convert " in caught.value.hint


def test_a_bundle_knows_its_checksum(tmp_path: Path) -> None:
    network = tmp_path / "net.onnx"
    network.write_bytes(onnx_bytes())
    sha256 = hashlib.sha256(onnx_bytes()).hexdigest()
    (tmp_path / "net.toml").write_text(spec_text("net", sha256))
    bundle = find(str(network))
    assert (bundle.sha256, bundle.label) == (sha256, f"net@{sha256[:8]}")
    bundle.verify()
    network.write_bytes(onnx_bytes({"changed": "yes"}))
    assert bundle.sha256 != sha256  # a changed file is hashed again
    with pytest.raises(ChecksumError, match="its spec says"):
        bundle.verify()


def test_the_first_directory_wins_and_an_onnx_before_an_engine(folders: tuple[Path, Path]) -> None:
    a, b = folders
    for file in (a / "one.engine", b / "one.onnx", a / "two.onnx", a / "two.engine"):
        file.write_bytes(onnx_bytes())
    for file in (a / "one.toml", b / "one.toml", a / "two.toml"):
        file.write_text(spec_text(file.stem))
    assert find("one", search=[a, b]).path == a / "one.engine"
    assert find("one", search=[b, a]).path == b / "one.onnx"
    assert find("two", search=[a, b]).path == a / "two.onnx"


def test_a_spec_in_another_directory_counts_when_it_names_the_checksum(folders: tuple[Path, Path]) -> None:
    a, b = folders
    (a / "net.onnx").write_bytes(onnx_bytes())
    spec = b / "net.toml"
    spec.write_text(spec_text("net", hashlib.sha256(onnx_bytes()).hexdigest()))
    assert find("net", search=[a, b]).spec.name == "net"
    assert find(str(a / "net.onnx"), search=[b]).spec.name == "net"
    spec.write_text(spec_text("net", "0" * 64))
    with pytest.raises(ModelSpecError, match="spec of another file"):
        find("net", search=[a, b])
    spec.write_text(spec_text("net"))
    with pytest.raises(ModelSpecError, match="nothing says how to use"):
        find("net", search=[a, b])
    # What `models pull` fetched under a name is what the spec of that name means.
    record_sha256(a / "net.onnx", hashlib.sha256(onnx_bytes()).hexdigest())
    assert find("net", search=[a, b]).spec.name == "net"
    record_sha256(a / "net.onnx", "0" * 64)
    with pytest.raises(ModelSpecError, match="spec of another file"):
        find("net", search=[a, b])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mynte", "did you mean mynet?"),
        ("resnet18_baseline_att_224x224", "did you mean resnet18_baseline_att_224x224_A"),
        ("qqqqqq", "`trt-pose models list` shows"),
        ("rtmpose-s-coco17", "fetch it with `trt-pose models pull rtmpose-s-coco17`"),
        ("rtmdet-m-person", "pull rtmdet-m-person`, then make one with `trt-pose convert rtmdet-m-person`"),
        ("here-as-checkpoint", "did you mean"),
        ("onlyspec", "put onlyspec.onnx into one of these directories"),
    ],
)
def test_an_unknown_name_says_where_it_looked_and_what_to_do(folders: tuple[Path, Path], name: str, hint: str) -> None:
    a, b = folders
    (a / "mynet.onnx").write_bytes(onnx_bytes())
    (a / "here-as-checkpoint2.pth").write_bytes(b"")
    (b / "onlyspec.toml").write_text(spec_text("onlyspec"))
    with pytest.raises(ModelNotFoundError) as caught:
        find(name, search=[a, b, b / "missing"])
    assert hint in caught.value.hint
    assert f"{a}, {b}, {b / 'missing'} (absent)" in caught.value.message


def test_a_fetched_checkpoint_is_named_for_conversion(tmp_path: Path) -> None:
    (tmp_path / "rtmdet-m-person.pth").write_bytes(b"")
    with pytest.raises(ModelNotFoundError) as caught:
        find("rtmdet-m-person", search=[tmp_path])
    assert (
        f"there is {tmp_path / 'rtmdet-m-person.pth'}: make one with `trt-pose convert rtmdet-m-person`"
        in caught.value.hint
    )


@pytest.mark.parametrize("name", ["none.onnx", "./none", "some/none.engine"])
def test_a_path_is_not_searched_for(name: str) -> None:
    with pytest.raises(ModelError, match="there is no network file"):
        find(name, search=[])


def test_the_search_order_is_variable_cache_package(tmp_path: Path) -> None:
    env = {"TRT_POSE_MODELS": os.pathsep.join([str(tmp_path / "x"), "", str(tmp_path / "y"), str(tmp_path / "x")])}
    assert default_search(env) == (tmp_path / "x", tmp_path / "y", cache_directory(), packaged_directory())
    assert default_search({}) == (cache_directory(), packaged_directory())
    assert (packaged_directory() / "openpose-lightweight.toml").is_file()


def test_installed_lists_networks_and_checkpoints_with_their_problems(folders: tuple[Path, Path]) -> None:
    a, b = folders
    (a / "good.onnx").write_bytes(onnx_bytes())
    (a / "good.toml").write_text(spec_text("good"))
    (a / "bare.onnx").write_bytes(onnx_bytes())
    (a / "cut.onnx").write_bytes(onnx_bytes() + b"\x3a\x7f")
    (b / "old.pth").write_bytes(b"")
    (b / "rest.onnx.part").write_bytes(b"")
    facts = [(file.name, file.spec is not None, file.problem) for file in installed([a, b, b / "absent"])]
    assert [(name, has_spec) for name, has_spec, _ in facts] == [
        ("bare", False),
        ("cut", False),
        ("good", True),
        ("old", False),
    ]
    problems = {name: problem for name, _, problem in facts}
    assert problems["bare"] == "no spec"
    assert problems["cut"] is not None
    assert "cut short" in problems["cut"]
    assert problems["good"] is None
    assert problems["old"] is not None


def test_the_expected_checksum_comes_from_spec_zoo_or_record(folders: tuple[Path, Path]) -> None:
    a, b = folders
    own = a / "own.onnx"
    own.write_bytes(onnx_bytes())
    assert expected_sha256(own, [a, b]) is None
    record_sha256(own, "1" * 64)
    assert expected_sha256(own, [a, b]) == "1" * 64
    (b / "own.toml").write_text(spec_text("own", "2" * 64))
    assert expected_sha256(own, [a, b]) == "2" * 64
    (a / "own.toml").write_text(spec_text("own", "3" * 64))
    assert expected_sha256(own, [a, b]) == "3" * 64
    assert (expected_sha256(a / "rtmdet-nano-person.pth", [a]) or "").startswith("05d8511e")
    assert expected_sha256(a / "own.engine", [a]) is None


@pytest.mark.shared
def test_openpose_lightweight_is_found_with_the_packaged_spec(shared: Path) -> None:
    bundle = find("openpose-lightweight", search=[shared / "weights", *default_search({})])
    bundle.verify()
    assert bundle.label == "openpose-lightweight@1b275890"
    assert bundle.spec.outputs == {"cmap": "Mconv7_stage2_L2", "paf": "Mconv7_stage2_L1"}


def test_finding_a_model_needs_neither_onnx_nor_a_runtime() -> None:
    code = "import sys, trt_pose_app.models.store as s; s.installed(s.default_search({})); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert not {"onnx", "onnxruntime", "cv2", "click", "rich"} & set(done.stdout.split())
