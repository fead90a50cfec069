"""The shares of people recovered in the shared scenes, against the original parser's 62 % and 79 %."""

import sys
from pathlib import Path

import pytest

from trt_pose_app.decode.paf import PafDecoder
from trt_pose_app.skeleton import COCO18

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import paf_scenes

SCENES = Path(__file__).parents[2] / "../shared/golden/trt_pose/scenes.json"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("layout", "people", "least"), [("overlapping", 20, 0.88), ("side_by_side", 20, 1.0), ("side_by_side", 50, 0.99)]
)
def test_people_at_least_half_recovered(layout: str, people: int, least: float) -> None:
    decoder = PafDecoder(COCO18, paf_scenes.LAYOUT)
    scenes = paf_scenes.select(paf_scenes.read_scenes(SCENES), layout, people)
    assert len(scenes) == 12
    recovered = 0
    for scene in scenes:
        (poses,) = decoder.decode(paf_scenes.maps(scene, 56), [paf_scenes.geometry(56)])
        recovered += paf_scenes.recovered(scene, 56, poses.xy)
    assert recovered / (12 * people) >= least
