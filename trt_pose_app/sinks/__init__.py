"""Where results go: ``open_sink`` turns an address into a Sink."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from trt_pose_app.errors import ConfigError, DependencyError
from trt_pose_app.sinks.protocol import Sink
from trt_pose_app.sinks.target import check_folder, check_not_source, check_target

if TYPE_CHECKING:
    from trt_pose_app.config.schema import Config
    from trt_pose_app.message import RunInfo

GRAMMAR = """\
-                      one JSON message per line on stdout
out.jsonl              the same into a file
out.csv                a table, one row per person and frame
out.mp4, out.mkv       annotated video
out.jpg, out.png       the newest annotated picture
pictures/              one annotated picture per frame in a folder
out/frame-%06d.jpg     the same with names of your own
mqtt://host[:port]     pose messages to a broker; mqtts:// with TLS
display://[title]      a window
null://                nothing"""

Kind = Literal["stdout", "jsonl", "csv", "video", "image", "images", "mqtt", "display", "null"]

_SCHEMES: dict[str, Kind] = {
    "null": "null",
    "display": "display",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
}
_SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".mp4": "video",
    ".mkv": "video",
    ".jpg": "image",
    ".jpeg": "image",
    ".png": "image",
}
# Suffixes that are often tried -> the one that does the same here
_MEANT = {
    ".json": ".jsonl",
    ".ndjson": ".jsonl",
    ".tsv": ".csv",
    ".avi": ".mp4",
    ".mov": ".mp4",
    ".webm": ".mp4",
    ".bmp": ".png",
    ".webp": ".png",
}
_NEEDS: dict[Kind, Sequence[tuple[str, str]]] = {
    "video": (("cv2", "opencv-python-headless"), ("av", "'trt-pose-app[video]'")),
    "image": (("cv2", "opencv-python-headless"),),
    "images": (("cv2", "opencv-python-headless"),),
    "display": (("cv2", "'trt-pose-app[desktop]'"),),
}


def sink_kind(uri: str) -> Kind:
    """Return what an address stands for. Raises ConfigError, with the grammar, for one that means nothing."""
    if uri == "-":
        return "stdout"
    scheme, separator, _ = uri.partition("://")
    if separator:
        if scheme in _SCHEMES:
            return _SCHEMES[scheme]
        close = get_close_matches(scheme, _SCHEMES, n=1)
        # What follows may hold a password.
        raise _unknown(f"{scheme}://...", f"{close[0]}://" if close else None)
    path = Path(uri)
    kind = _SUFFIXES.get(path.suffix.lower())
    if uri.endswith("/") or (uri and path.is_dir()):
        return "images"
    if kind is None:
        close = get_close_matches(path.suffix.lower(), _SUFFIXES, n=1)
        suffix = _MEANT.get(path.suffix.lower()) or (close[0] if close else None)
        raise _unknown(uri, str(path.with_suffix(suffix)) if suffix else None)
    return "images" if kind == "image" and "%" in path.name else kind


def check_sinks(uris: Sequence[str]) -> None:
    """Raise ConfigError or DependencyError for what can be known to fail before a run: call it before the source opens.

    Checks the addresses, the folders they name, the packages and the screen, and that no two write the same file.
    """
    targets: set[Path | str] = set()
    for uri in uris:
        kind = sink_kind(uri)
        target: Path | str = uri if uri == "-" or "://" in uri else Path(uri).resolve()
        if kind == "display":
            target = kind  # window systems serve one thread of a program, and each sink has its own
        if target in targets and kind != "null":
            raise ConfigError(f"{_shown(uri)} is one sink too many", hint="name each file once, and display:// once")
        targets.add(target)
        _check(uri, kind)


def open_sink(uri: str, run: RunInfo, config: Config) -> Sink:
    """Return the sink for an address. Raises ConfigError, DependencyError or SinkError; creates no file yet."""
    kind = sink_kind(uri)
    _check(uri, kind)
    if "://" not in uri and kind != "images":
        check_not_source(Path(uri), run.source)
    match kind:
        case "stdout":
            from trt_pose_app.sinks.jsonl import StdoutSink

            return StdoutSink(run)
        case "jsonl":
            from trt_pose_app.sinks.jsonl import JsonlSink

            return JsonlSink(Path(uri), run)
        case "csv":
            from trt_pose_app.sinks.csv import CsvSink

            return CsvSink(Path(uri), run)
        case "video":
            from trt_pose_app.sinks.video import VideoSink

            return VideoSink(Path(uri), run, config.video, config.draw)
        case "image":
            from trt_pose_app.sinks.images import NewestImageSink

            return NewestImageSink(Path(uri), config.draw)
        case "images":
            from trt_pose_app.sinks.images import ImagesSink

            return ImagesSink(Path(uri), config.draw)
        case "display":
            from trt_pose_app.sinks.display import DisplaySink

            return DisplaySink(_title(uri), run, config.draw)
        case "mqtt":
            from trt_pose_app.sinks.mqtt import MqttSink

            return MqttSink(uri, run, config.mqtt)
        case "null":
            from trt_pose_app.sinks.null import NullSink

            return NullSink()


def _check(uri: str, kind: Kind) -> None:
    for module, package in _NEEDS.get(kind, ()):
        try:
            import_module(module)
        except ImportError as error:  # absent, or one of its own libraries is: the reason says which
            raise DependencyError(f"{_shown(uri)} needs {module}: {error}", hint=f"pip install {package}") from error
    if kind == "stdout" and sys.stdout is None:  # Python's way to say that it was started with `>&-`
        raise ConfigError("the sink - needs stdout, which is closed", hint="name a file, such as out.jsonl")
    if kind in ("jsonl", "csv", "video", "image"):
        check_target(Path(uri))
    elif kind == "images":
        path = Path(uri)
        if path.suffix and "%" in path.name:
            _check_pattern(path)
            path = path.parent
        # A folder may be new, its parent may not: a mistyped path should not grow a tree.
        check_folder(path if path.is_dir() else path.parent)
    elif kind == "display":
        from trt_pose_app.sinks.display import check_display

        check_display()


def _check_pattern(path: Path) -> None:
    if not re.fullmatch(r"[^%]*%(0\d+)?d[^%]*", path.name):
        raise ConfigError(f"{path.name} is no pattern for numbered files", hint="write one %06d where the number goes")


def _title(uri: str) -> str:
    return unquote(uri.partition("://")[2].rstrip("/")) or "trt-pose"


def _shown(uri: str) -> str:
    """Return an address without the part that may hold a password."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else uri


def _unknown(uri: str, meant: str | None) -> ConfigError:
    guess = f"did you mean {meant}? " if meant else ""
    return ConfigError(f"no such kind of sink: {uri}", hint=f"{guess}The kinds are\n{GRAMMAR}")
