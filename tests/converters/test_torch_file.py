"""read_torch_file: both of torch's formats, whole, cut short and damaged; the values are torch's own."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from converters.pickle_reader import UnsafePickleError
from converters.torch_file import read_torch_file
from tests.converters.pickles import dumped, floats, tensor_pickle, write_torch_legacy, write_torch_zip
from trt_pose_app.errors import ModelSpecError


def test_a_zip_without_torch(tmp_path: Path) -> None:
    data = tensor_pickle((2, 2), (1, 2), offset=1, size=6)
    file = read_torch_file(write_torch_zip(tmp_path / "a.pth", data, members={"data/0": floats(6)}))
    ((name, values),) = file.arrays(file.content)
    assert name == "w"
    np.testing.assert_array_equal(values, [[1, 3], [2, 4]])


def test_a_legacy_file_without_torch(tmp_path: Path) -> None:
    assert read_torch_file(write_torch_legacy(tmp_path / "a.pth", dumped({"epoch": 3}))).content == {"epoch": 3}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "the tensor data '0' is missing"),
        ({"data/0": floats(5)}, "'0' is missing or too short"),
        ({"data/0": floats(6), "byteorder": b"big"}, "big-endian"),
        ({"data/0": floats(6), "inner/data.pkl": b""}, "no data.pkl"),
    ],
)
def test_wrong_zips(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    path = write_torch_zip(tmp_path / "a.pth", tensor_pickle((6,), (1,), size=6), members=members)
    with pytest.raises(ModelSpecError, match=message):
        read_torch_file(path)


def test_a_compressed_member_is_refused_before_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N." + bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(ModelSpecError, match="compressed, which torch never does"):
        read_torch_file(path)


def test_a_member_that_claims_to_be_larger_than_the_file(tmp_path: Path) -> None:
    path = write_torch_zip(tmp_path / "a.pth", dumped({}))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")  # the directory's entry of data.pkl
    content[at + 20 : at + 28] = struct.pack("<II", 1 << 30, 1 << 30)
    path.write_bytes(content)
    with pytest.raises(ModelSpecError, match="claim to be larger than the file"):
        read_torch_file(path)


def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path: Path) -> None:
    data = tensor_pickle((6,), (1,), size=6)
    path = write_torch_zip(tmp_path / "a.pth", data, members={"data/0": floats(6)})
    content = bytearray(path.read_bytes())
    content[content.index(floats(6)) + 7] ^= 1
    path.write_bytes(content)
    file = read_torch_file(path)
    with pytest.raises(ModelSpecError, match="damaged: Bad CRC-32"):
        list(file.arrays(file.content))


def test_a_malicious_file_names_itself(tmp_path: Path) -> None:
    for write in (write_torch_zip, write_torch_legacy):
        path = write(tmp_path / "a.pth", b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.")
        with pytest.raises(UnsafePickleError, match=r"a\.pth asks to run posix\.system"):
            read_torch_file(path)


class TestWithTorch:
    @pytest.fixture
    def torch(self) -> object:
        return pytest.importorskip("torch")

    @pytest.fixture(params=[True, False], ids=["zip", "legacy"])
    def as_zip(self, request: pytest.FixtureRequest) -> bool:
        return request.param

    def state(self, torch):
        base = torch.arange(24.0)
        return {
            "float": torch.rand(3, 4), "view": base[4:16].view(3, 4).t(), "same": base, "half": torch.rand(5).half(),
            "double": torch.rand(2).double(), "brain": torch.rand(7).bfloat16(), "count": torch.tensor(3),
            "flags": torch.tensor([True, False]), "bytes": torch.tensor([1, 255], dtype=torch.uint8),
            "empty": torch.zeros(0, 3), "parameter": torch.nn.Parameter(torch.rand(2)),
            "channels_last": torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        }  # fmt: skip

    def test_the_values_are_torchs(self, torch, as_zip, tmp_path):
        state = self.state(torch)
        torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=as_zip)
        file = read_torch_file(tmp_path / "a.pth")
        read = dict(file.arrays(file.content))
        assert read.keys() == state.keys()
        for name, tensor in state.items():
            np.testing.assert_array_equal(read[name], tensor.detach().float().numpy(), err_msg=name)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
    def test_cut_short(self, torch, as_zip, share, tmp_path):
        path = tmp_path / "a.pth"
        torch.save({"w": torch.rand(1000)}, path, _use_new_zipfile_serialization=as_zip)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with pytest.raises(ModelSpecError, match="damaged or cut short"):
            read_torch_file(path)

    def test_a_whole_module_is_refused(self, torch, as_zip, tmp_path):
        torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pth", _use_new_zipfile_serialization=as_zip)
        with pytest.raises(UnsafePickleError, match=r"whole pickled model .*save network\.state_dict\(\)"):
            read_torch_file(tmp_path / "a.pth")
