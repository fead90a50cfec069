"""trt_pose's networks: the official keys, counts and outputs."""

from __future__ import annotations

import importlib.util
import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.errors import ModelSpecError

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("torchvision", reason="trt_pose's backbones are torchvision's")

from trt_pose_app.networks.paf_attention import NAMES, build_paf_attention, load_weights  # noqa: E402

GOLDEN = Path(__file__).parents[2] / "../shared/golden/trt_pose"
KEY_LISTS = sorted(GOLDEN.glob("statedict_*.json"))
OUTPUTS = sorted(GOLDEN.glob("golden/*.npz"))


def hashfill():
    spec = importlib.util.spec_from_file_location("hashfill", GOLDEN / "hashfill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.shared
@pytest.mark.parametrize("path", KEY_LISTS or [None], ids=lambda path: path.stem if path else "none")
def test_keys_shapes_and_counts_are_the_official_ones(path):
    official = json.loads(path.read_text())
    with torch.device("meta"):  # shapes only: no memory, no time
        network = build_paf_attention(official["model"], 18, 42)
    ours = {key: list(tensor.shape) for key, tensor in network.state_dict().items()}
    assert list(ours.items()) == [(key, entry["shape"]) for key, entry in official["state_dict"].items()]
    assert sum(p.numel() for p in network.parameters()) == official["parameters"]


@pytest.mark.shared
@pytest.mark.parametrize("path", OUTPUTS or [None], ids=lambda path: path.stem if path else "none")
def test_outputs_are_the_official_ones(path):
    torch.set_num_threads(1)
    fill = hashfill()
    entry = json.loads((GOLDEN / "golden/index.json").read_text())[f"golden/{path.name}"]
    network = build_paf_attention(path.stem.rpartition("_")[0], 18, 42).eval()
    weights = {
        key: torch.from_numpy(np.array(fill.tensor(key, tuple(tensor.shape), entry["gamma"])))
        for key, tensor in network.state_dict().items()
    }
    load_weights(network, weights)
    with torch.no_grad():
        cmap, paf = network(torch.from_numpy(fill.image(tuple(entry["shape_in"])).astype(np.float32)))
    golden = np.load(path)
    for maps, name in ((cmap.numpy(), "cmap"), (paf.numpy(), "paf")):
        np.testing.assert_allclose(maps[0, :, ::8, ::8], golden[f"{name}32_first"], atol=1e-4)
        np.testing.assert_allclose(maps, golden[name], rtol=2**-10, atol=1e-4)  # stored in half precision


def test_mnasnet_loads_from_a_plain_mapping_and_from_torchs_own():
    network = build_paf_attention("mnasnet0_5_baseline_att", 3, 4)
    state = network.state_dict()
    load_weights(network, dict(state))
    load_weights(network, state)
    load_weights(network, OrderedDict(state))


def test_another_networks_checkpoint_is_refused():
    network = build_paf_attention("resnet18_baseline", 3, 4)
    weights = network.state_dict()
    weights.popitem()
    with pytest.raises(ModelSpecError, match="another network"):
        load_weights(network, weights)


def test_only_trt_poses_names_are_known():
    assert len(NAMES) == 26
    with pytest.raises(ModelSpecError, match="no network 'resnet19"):
        build_paf_attention("resnet19_baseline", 3, 4)


@pytest.mark.parametrize(("num_flat", "name"), [(1, "resnet18_baseline"), (1, "resnet18_baseline_att")])
def test_flat_convolutions_change_no_size(num_flat, name):
    torch.set_num_threads(1)
    network = build_paf_attention(name, 3, 4, upsample_channels=8, num_upsample=2, num_flat=num_flat).eval()
    with torch.no_grad():
        cmap, paf = network(torch.zeros(1, 3, 64, 64))
    assert (cmap.shape, paf.shape) == ((1, 3, 8, 8), (1, 4, 8, 8))
