"""trt_pose_compatible.parse against the recorded results of the original parser."""

import json
from pathlib import Path

import numpy as np
import pytest

from trt_pose_app.decode.trt_pose_compatible import assign, parse
from trt_pose_app.errors import DecodeError

CORPUS = Path(__file__).parents[2] / "../shared/golden/trt_pose/parser_corpus"
CASES = sorted(path.name for path in CORPUS.glob("*.npz")) or ["the corpus"]


@pytest.mark.shared
@pytest.mark.parametrize("name", CASES)
def test_corpus(name: str) -> None:
    golden = np.load(CORPUS / name)
    params = json.loads(str(golden["params"]))
    for n, (cmap, paf) in enumerate(zip(golden["cmap"], golden["paf"])):
        parsed = parse(cmap, paf, golden["topology"], **params)
        assert [len(peaks) for peaks in parsed.peaks] == golden["peak_counts"][n].tolist()
        for part, count in enumerate(golden["peak_counts"][n]):
            np.testing.assert_array_equal(parsed.peaks[part], golden["peaks"][n, part, :count])
            wanted = golden["normalized_peaks"][n, part, :count]
            np.testing.assert_allclose(parsed.normalized_peaks[part], wanted, rtol=1e-5, atol=1e-5)
        for limb, pairs in enumerate(parsed.connections):
            forward = golden["connections"][n, limb, 0]
            assert pairs == [(a, b) for a, b in enumerate(forward.tolist()) if b >= 0]
        assert len(parsed.objects) == golden["object_counts"][n]
        np.testing.assert_array_equal(parsed.objects, golden["objects"][n, : len(parsed.objects)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("where", ["cmap", "paf"])
def test_ends_where_the_original_hangs(value: float, where: str) -> None:
    rng = np.random.default_rng(0)
    maps = {"cmap": rng.random((2, 9, 9)).astype(np.float32), "paf": rng.random((2, 9, 9)).astype(np.float32)}
    maps[where][:, 3:6] = value
    parsed = parse(maps["cmap"], maps["paf"], np.array([[0, 1, 0, 1]]))
    assert len(parsed.objects) <= 100


def test_assignment_is_the_cheapest() -> None:
    cost = np.array([[4, 1, 3], [2, 0, 5], [3, 2, 2]], np.float32)
    assert sum(cost[i, j] for i, j in assign(cost)) == 5


def test_wrong_shapes() -> None:
    maps = np.zeros((2, 4, 4), np.float32)
    for cmap, paf, topology in (
        (maps[None], maps, np.array([[0, 1, 0, 1]])),
        (maps, maps[:, :3], np.array([[0, 1, 0, 1]])),
        (maps, maps, np.array([[0, 2, 0, 1]])),
        (maps, maps, np.array([[0, 1, 0, 2]])),
    ):
        with pytest.raises(DecodeError):
            parse(cmap, paf, topology)
