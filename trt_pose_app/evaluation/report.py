"""One self-contained HTML page about one or more models on one set of photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from trt_pose_app.evaluation.charts import bracket, lines, share_bars, stacked_bars
from trt_pose_app.evaluation.coco_ap import ROWS
from trt_pose_app.evaluation.error_kinds import KINDS
from trt_pose_app.evaluation.evaluation import Evaluation
from trt_pose_app.evaluation.joint_groups import joint_groups
from trt_pose_app.evaluation.photo_quality import photo_quality
from trt_pose_app.evaluation.report_style import STYLE
from trt_pose_app.evaluation.truth import Truth
from trt_pose_app.evaluation.worst_pictures import panels_jpeg

_KIND_TEXT = {
    "good": "good: KS at least 0.85",
    "jitter": "jitter: at least 0.5",
    "inversion": "inversion: on the mirrored joint",
    "swap": "swap: on another person",
    "miss": "miss: on nothing",
    "absent": "absent: no point given",
}


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Where the photos lie, and how many of the worst are shown."""

    paths: Mapping[int, Path]
    count: int


def report_html(
    truth: Truth, document: Mapping[str, Any], evaluations: Sequence[Evaluation], pictures: Pictures | None
) -> str:
    """Return the page. ``document`` is what ``--json`` prints; ``evaluations`` are its models, in the same order."""
    models = document["models"]
    names = [model["name"] for model in models]
    data, pck = document["data"], document["pck"]
    kept = "sure keypoints" if pck["least_visibility"] == 2 else "labelled keypoints"
    whose = "of the main person of each photo" if pck["main_only"] else "of everybody"
    parts = [
        f"<h1>{escape(' against '.join(names))}</h1>",
        f"<p>{escape(data['annotations'])}: {data['photos']} photos, {data['people']} people, {data['empty_photos']} "
        f"photos without anyone. Intervals hold 95 % of {document['draws']} draws "
        "of the photos. Milliseconds: the least and the median "
        "of up to a hundred 640x480 frames, resize to poses.</p>",
        _summary(models),
        *_comparisons(document["comparisons"]),
        "<h2>COCO keypoint AP and AR</h2>",
        _table(["", *names], ([row, *(_number(m["coco"][row]) for m in models)] for row in ROWS)),
        f"<h2>PCK@{pck['fraction']:g} of the torso</h2><p>On {kept} {whose}.</p>",
        _key(names, "s"),
        share_bars(_pck_rows(models), names, "PCK of each joint"),
        "<h2>Kinds of error</h2>",
        f"<p>Of the labelled keypoints of people who were found. {escape('; '.join(_KIND_TEXT.values()))}.</p>",
        _key(KINDS, "k-"),
        *(_errors(model, truth) for model in models),
        "<h2>Threshold</h2>",
        "<p>What other values of --min-person-score would give.</p>",
        _key(names, "s"),
        _sweep(models, data["empty_photos"]),
        *_peak_sweep(models),
    ]
    if pictures is not None and pictures.count:
        parts += ["<h2>Worst pictures</h2>", *_worst(truth, evaluations, names, pictures)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(names[0])}: evaluation</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _summary(models: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for model in models:
        limbs = model["pck"].get("limb joints", model["pck"]["all"])
        latency, settings = model["latency_ms"], model["settings"]
        rows.append(
            [
                escape(model["name"]),
                escape(str(settings["input_size"]) if settings else "-"),
                _number(model["coco"]["AP"]) + bracket(model["ap_interval"]),
                _number(limbs["pck"]) + bracket(limbs["interval"]),
                _number(model["pck"]["all"]["pck"]),
                str(model["false_people"]),
                f"{latency['frame_best']:.1f} / {latency['frame_median']:.1f}" if latency else "-",
            ]
        )
    head = ["model", "input", "AP", "PCK, limb joints", "PCK, all", "false people", "ms a frame"]
    return _table(head, rows)


def _comparisons(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = []
    for comparison in comparisons:
        parts.append(f"<h2>{escape(comparison['second'])} less {escape(comparison['first'])}</h2>")
        parts.append("<p>Paired: both on the same draws of photos. An interval that holds 0 decides nothing.</p>")
        rows = {"AP": comparison["AP"], **{f"PCK {name}": row for name, row in comparison["pck"].items()}}
        cells = (
            [escape(name), "-" if row["difference"] is None else f"{row['difference']:+.3f}", bracket(row["interval"])]
            for name, row in rows.items()
        )
        parts.append(_table(["", "difference", "95 % interval"], cells))
    return parts


def _pck_rows(models: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    sets = [name for name in models[0]["pck"] if name != "people"]
    return {name: [(m["pck"][name]["pck"], m["pck"][name]["interval"]) for m in models] for name in sets}


def _errors(model: Mapping[str, Any], truth: Truth) -> str:
    errors = model["errors"]
    rows = {name: errors["joints"][name] for name in ("all", *joint_groups(truth.skeleton))}
    cells = (
        [escape(name), *("-" if shares[kind] is None else f"{shares[kind]:.1%}" for kind in KINDS)]
        for name, shares in rows.items()
    )
    return (
        f"<h3>{escape(model['name'])}: {errors['found']} of {errors['people']} people found</h3>"
        f'<div class="row"><div>{stacked_bars(rows, KINDS, "Kinds of error by joint")}</div>'
        f"{_table(['joint', *KINDS], cells)}</div>"
    )


def _sweep(models: Sequence[Mapping[str, Any]], empty_photos: int) -> str:
    names = [model["name"] for model in models]
    charts = [("AP", "AP", 1.0), ("pck", "PCK, all", 1.0)]
    if empty_photos:
        most = max((row["false_people"] for model in models for row in model["sweep"]), default=0)
        charts.append(("false_people", f"people on {empty_photos} photos without anyone", max(4, -(-most // 4) * 4)))
    figures = []
    for field, title, highest in charts:
        series = [
            [(row["min_person_score"], row[field]) for row in model["sweep"] if row[field] is not None]
            for model in models
        ]
        figures.append(
            f"<figure><figcaption>{title}</figcaption>{lines(series, names, title, highest=highest)}</figure>"
        )
    return f'<div class="row">{"".join(figures)}</div>'


def _peak_sweep(models: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    fields = ("AP", "pck", "false_people", "people")
    rows = [
        [escape(model["name"]), f"{row['peak_threshold']:g}", *(_number(row[f]) for f in fields[:2])]
        + [str(row[f]) for f in fields[2:]]
        for model in models
        for row in model["peak_sweep"]
    ]
    if rows:
        yield "<h3>--peak-threshold</h3>"
        yield _table(["model", "peak threshold", "AP", "PCK, all", "false people", "people"], rows)


def _worst(truth: Truth, evaluations: Sequence[Evaluation], names: Sequence[str], pictures: Pictures) -> Iterable[str]:
    qualities = [photo_quality(truth, evaluation.found) for evaluation in evaluations]
    mean = np.mean(qualities, axis=0)
    yield f"<p>Left the annotation, then {escape(', then '.join(names))}: the sum of OKS over all people is lowest.</p>"
    for index in np.argsort(mean, kind="stable")[: pictures.count]:
        if mean[index] == 1:
            return
        found = [evaluation.found[index] for evaluation in evaluations]
        uri = panels_jpeg(truth, int(index), found, pictures.paths)
        marks = ", ".join(f"{quality[index]:.2f}" for quality in qualities)
        name = escape(truth.photos[index].file_name)
        yield f'<figure><img src="{uri}" alt="{name}" loading="lazy"><figcaption>{name}: {marks}</figcaption></figure>'


def _key(names: Sequence[str], prefix: str) -> str:
    items = []
    for index, name in enumerate(names):
        kind = f"{prefix}{index if prefix == 's' else name}"
        items.append(
            f'<span><svg viewBox="0 0 1 1"><rect class="{kind}" width="1" height="1"/></svg>{escape(name)}</span>'
        )
    return f'<div class="key">{"".join(items)}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
