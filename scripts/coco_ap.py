"""COCO keypoint AP of results that `trt-pose predict` wrote, and people found where there are none.

trt-pose predict PHOTOS -o results.json --annotations COCO.json --model MODEL --input-size 368
python scripts/coco_ap.py COCO.json results.json ...
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def main(annotations: str, *results: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(annotations)
    empty = set(truth.imgs) - {annotation["image_id"] for annotation in truth.dataset["annotations"]}
    for path in results:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(truth, truth.loadRes(path), "keypoints")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        ap, ap50, _, _, _, ar = evaluation.stats[:6]
        false = sum(result["image_id"] in empty for result in json.loads(Path(path).read_text(encoding="utf-8")))
        print(f"{path}: AP {ap:.4f}  AP50 {ap50:.3f}  AR {ar:.3f}  ({len(truth.imgs)} photos),", end=" ")
        print(f"{false} people on the {len(empty)} photos without anyone")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
