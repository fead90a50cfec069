"""Where the photos of an annotation file lie."""

from __future__ import annotations

from pathlib import Path

from trt_pose_app.errors import ConfigError
from trt_pose_app.evaluation.truth import Truth


def photo_paths(truth: Truth, folder: Path | None) -> dict[int, Path]:
    """Return image id -> file. ``folder`` None: looked for near the annotations, in the places data sets use.

    Raises ConfigError if a single photo is missing: figures over a part of the data would look like figures of it.
    """
    folders = [folder] if folder is not None else _usual_folders(truth.path)
    for candidate in folders:
        paths = {photo.id: candidate / photo.file_name for photo in truth.photos}
        missing = [path for path in paths.values() if not path.is_file()]
        if not missing:
            return paths
        if len(missing) < len(paths) or folder is not None:
            raise ConfigError(
                f"{len(missing)} of {len(paths)} photos are missing, such as {missing[0]}",
                hint="name their folder with --images, or fetch the rest; --limit takes the first N photos only",
            )
    raise ConfigError(
        f"there is no photo {truth.photos[0].file_name} in any of {', '.join(map(str, folders))}",
        hint="name the photos' folder with --images",
    )


def _usual_folders(annotations: Path) -> list[Path]:
    here = annotations.parent
    split = annotations.stem.removeprefix("person_keypoints_")  # annotations/person_keypoints_val2017.json -> val2017
    return [here, here / "images", here / split, here.parent / split, here.parent / "images" / split]
