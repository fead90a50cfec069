"""trt_pose's own task files as recipes: what its JSON asks for, in this package's words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trt_pose_app.errors import ConfigError

# What its trainer knows and ours needs no word for: it has one way, or the command line says it.
_HINT = "see docs/training.md for what is taken from a trt_pose task"


def recipe_of_task(path: Path) -> dict[str, Any]:
    """Return the recipe, as the mapping that a TOML file would give, of a trt_pose task.

    Paths start at the task file's folder, as trt_pose's own do. An epoch is one look at every photo with people.
    The validation set is its ``test_dataset``. Raises ConfigError for what cannot be trained.
    """
    try:
        task = json.loads(path.read_text(encoding="utf-8"))
        return _converted(task, path)
    except OSError as error:
        raise ConfigError(f"cannot read the task {path}: {error.strerror}", hint="check the path") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{path} is no trt_pose task: {error!r}", hint=_HINT) from error


def _converted(task: Mapping[str, Any], path: Path) -> dict[str, Any]:
    train, test, model = task["train_dataset"], task.get("test_dataset"), task["model"]
    height, width = train["image_shape"]
    cells = train["target_shape"][0]
    num_upsample = model["kwargs"].get("num_upsample", 3)
    if height != width or height % 32 or cells * (32 >> num_upsample) != height:
        raise ConfigError(
            f"{path}: pictures of {height}x{width} px cannot have maps of {cells} cells with num_upsample "
            f"{num_upsample}",
            hint="image_shape must be square and a multiple of 32, target_shape image_shape * 2 ** num_upsample / 32",
        )
    optimiser = task["optimizer"]
    if optimiser["name"] != "Adam":
        raise ConfigError(f"{path}: there is no optimiser {optimiser['name']}", hint='"optimizer": {"name": "Adam"}')
    folder = path.parent
    batch = task["train_loader"]["batch_size"]
    epoch = -(-_photos_with_people(folder / train["annotations_file"], train) // batch)
    rates = {int(k) * epoch: rate for k, rate in task.get("lr_schedule", {}).items()}
    # Its maps fall as exp(-d^2 / s^2) with s = stdev * cells; ours as exp(-d^2 / 2 sigma^2).
    sigma = task.get("stdev_schedule", {}).get("0", train["stdev"]) * cells / math.sqrt(2)
    jitter = task.get("color_jitter", {})
    recipe: dict[str, Any] = {
        "name": path.stem,
        "checkpoint_steps": max(1, task.get("checkpoints", {}).get("interval", 1) * epoch),
        "validate_steps": epoch,
        "data": {
            "images": str(folder / train["images_dir"]),
            "annotations": str(folder / train["annotations_file"]),
            "category": train["category_name"],
            "people_only": True,
            "workers": task["train_loader"].get("num_workers", 1),
        },
        "network": {
            "kind": model["name"],
            "num_upsample": num_upsample,
            "num_flat": model["kwargs"].get("num_flat", 0),
            "upsample_channels": model["kwargs"].get("upsample_channels", 256),
            "imagenet": model["kwargs"].get("pretrained", True) and "initial_state_dict" not in model,
        },
        "augment": {
            "mosaic_two": 0.0, "mosaic_four": 0.0, "blur": 0.0, "jpeg": 0.0, "cutout": 0.0, "grey": 0.0,
            "channel_gain": 0.0, "flip": 0.0,
            "brightness": jitter.get("brightness", 0.0), "contrast": jitter.get("contrast", 0.0),
            "trt_pose": {
                "angle": train.get("random_angle", (0.0, 0.0)),
                "scale": train.get("random_scale", (1.0, 1.0)),
                "translate": train.get("random_translate", (0.0, 0.0)),
                "keep_aspect_ratio": train.get("keep_aspect_ratio", False),
            },
        },
        "targets": {
            "style": "trt_pose", "cmap_sigma": sigma, "paf_sigma": sigma,
            "mask": "unlabelled" if task.get("mask_unlabeled") else "none",
        },
        "schedule": {
            "steps": task["epochs"] * epoch, "batch": batch, "sizes": [[0.0, height]], "optimiser": "adam",
            "learning_rate": optimiser["kwargs"]["lr"], "rates": sorted(rates.items()), "warm_up_steps": 0,
            "weight_decay": 0.0, "foreground_weight": 0.0, "clip_gradient": None, "ema": 0.0,
        },
    }  # fmt: skip
    if "initial_state_dict" in model:
        recipe["network"]["initial_weights"] = str(folder / model["initial_state_dict"])
    if test:
        recipe["data"]["validation_images"] = str(folder / test["images_dir"])
        recipe["data"]["validation_annotations"] = str(folder / test["annotations_file"])
    return recipe


def _photos_with_people(annotations: Path, train: Mapping[str, Any]) -> int:
    content = json.loads(annotations.read_text(encoding="utf-8"))
    wanted = {c["id"] for c in content["categories"] if c["name"] == train["category_name"]}
    return max(1, len({note["image_id"] for note in content["annotations"] if note["category_id"] in wanted}))
