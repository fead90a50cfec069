"""pose-nano keeps its budget and its contract."""

from __future__ import annotations

import pytest

from trt_pose_app.skeleton import COCO18

torch = pytest.importorskip("torch", reason="training needs torch")

from trt_pose_app.networks.nano import PoseNano  # noqa: E402  # after the check for torch


@pytest.fixture(scope="module")
def network() -> PoseNano:
    torch.set_num_threads(1)
    return PoseNano(len(COCO18), len(COCO18.limbs)).eval()


def test_it_keeps_to_its_budget(network):
    macs = 0

    def count(module, _, output):
        nonlocal macs
        macs += output.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    with torch.no_grad():
        network(torch.zeros(1, 3, 256, 256))
    for hook in hooks:
        hook.remove()
    assert sum(p.numel() for p in network.parameters()) < 1.4e6
    assert macs < 0.6e9


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160)])
def test_maps_are_a_quarter_of_the_input(network, height, width):
    with torch.no_grad():
        cmap, paf = network(torch.zeros(2, 3, height, width))
    assert cmap.shape == (2, 18, height // 4, width // 4)
    assert paf.shape == (2, 42, height // 4, width // 4)


def test_in_training_every_stage_answers():
    network = PoseNano(3, 2, trunk_channels=8, width=8).train()
    stages = network(torch.zeros(2, 3, 64, 64))
    assert [tuple(m.shape[1] for m in stage) for stage in stages] == [(3, 4), (3, 4)]
