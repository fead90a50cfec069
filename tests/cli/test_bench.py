"""``trt-pose bench`` shows what the engine can do beside what one gets."""

from __future__ import annotations

import json


def test_the_figures_as_json(trt_pose) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose(
        "bench", "synthetic://people?n=2&width=320&height=240", "--model", "scripted", "--frames", 20, "--json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["frames"] == 20
    assert report["input"] == "128x128"
    assert report["engine_fps"] > 0
    assert report["end_to_end_fps"] > 0
    assert set(report["stages_ms"]) == {"capture", "preprocess", "infer", "decode", "total"}
    assert report["engine_ms"]["p95"] >= report["engine_ms"]["p50"] > 0


def test_the_table_has_both_rates(trt_pose) -> None:  # type: ignore[no-untyped-def]
    done = trt_pose("bench", "--model", "scripted", "--frames", 5)
    assert done.returncode == 0, done.stderr
    for part in ("engine alone", "p50 ms", "p95 ms", "end to end", "onnxruntime-cpu"):
        assert part in done.stdout
