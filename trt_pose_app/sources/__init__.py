"""Where frames come from."""

from __future__ import annotations

from trt_pose_app.config.schema import SourceConfig
from trt_pose_app.sources.protocol import Source, SourceInfo
from trt_pose_app.sources.uri import parse

__all__ = ["open_source", "Source", "SourceInfo"]

_DEFAULTS = SourceConfig()


def open_source(uri: str, config: SourceConfig = _DEFAULTS) -> Source:
    """Open what ``uri`` names (``config.uri`` is not looked at).

    Files are checked at once: ConfigError for a bad URI or missing file, SourceError for one that cannot be decoded.
    A camera may be absent; it is waited for. DependencyError if a package for this kind of source is missing.
    """
    parsed = parse(uri)
    if parsed.kind == "path":
        from trt_pose_app.sources.files import open_path

        return open_path(parsed.target, config)
    if parsed.kind == "synthetic":
        from trt_pose_app.sources.synthetic import SyntheticSource

        return SyntheticSource(parsed.name, parsed.options)

    from trt_pose_app.sources.live import LiveSource

    if parsed.kind == "stream":
        from trt_pose_app.sources.ffmpeg import import_av
        from trt_pose_app.sources.network import NetworkCapture

        import_av()
        return LiveSource(parsed.name, lambda: NetworkCapture(parsed, config), config)

    from trt_pose_app.sources.camera import check_device, check_opencv, open_csi, open_v4l2

    check_opencv(parsed.kind)
    if parsed.kind == "csi":
        return LiveSource(parsed.name, lambda: open_csi(int(parsed.target), config), config)
    check_device(parsed.target)
    return LiveSource(parsed.name, lambda: open_v4l2(parsed.target, config), config)
