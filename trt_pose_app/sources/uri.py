"""The grammar of sources, and URIs without their credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Literal, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from trt_pose_app.config.secret import mask_credentials
from trt_pose_app.errors import ConfigError

GRAMMAR = (
    "csi://0, v4l2:///dev/video0, /dev/video0, 0, rtsp://host/path, http://host/stream, clip.mp4, picture.jpg, "
    "folder/, 'glob*.jpg', file:///path, synthetic://people?n=3"
)
SCHEMES = ("csi", "v4l2", "rtsp", "rtsps", "http", "https", "file", "synthetic")
# Served once and then over: read as a camera they would start again for ever.
_FILES_ON_THE_WEB = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".jpg", ".jpeg", ".png")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SourceUri:
    """A source taken apart.

    ``target`` is the sensor number, device file, URL, pattern or path, and may hold credentials; ``name`` is what
    people may see. ``options`` are those after the question mark of ``synthetic://``.
    """

    kind: Literal["csi", "v4l2", "stream", "path", "synthetic"]
    target: str = field(repr=False)
    name: str
    options: Mapping[str, str] = field(default_factory=dict)


def redact(uri: str) -> str:
    """Return ``uri`` with user, password and secret parameters replaced by ``***``; other texts unchanged."""
    match = _URI.fullmatch(uri)
    if match is None:
        return uri
    # The whole text is known to be one URI, so a password may hold anything unescaped, / and @ and blanks too.
    rest = re.sub(r"\s", "%20", match[2])
    user, at, place = rest.rpartition("@")
    if at and (":" in user or not re.search(r"[/?#]", user)):
        rest = f"***@{place}"
    return mask_credentials(f"{match[1]}://{rest}")


def parse(uri: str) -> SourceUri:
    """Take a source's URI apart. Looks at no file. Raises ConfigError, without the URI's credentials."""
    if not uri:
        _refuse("no source given", f"give one of {GRAMMAR}")
    if uri.isascii() and uri.isdigit():
        return SourceUri("v4l2", f"/dev/video{int(uri)}", f"/dev/video{int(uri)}")
    match = _URI.fullmatch(uri)
    if match is None:
        return _parse_path(uri)
    scheme, rest = match[1].lower(), match[2]
    if scheme not in SCHEMES:
        close = get_close_matches(scheme, SCHEMES, n=1)
        guess = f"did you mean {close[0]}://? " if close else ""
        _refuse(f"unknown kind of source {scheme}:// in {redact(uri)}", f"{guess}Sources are {GRAMMAR}")
    if scheme == "csi":
        if not (rest.isascii() and rest.isdigit()):
            _refuse(f"{uri} names no CSI sensor", "write its number: csi://0; see `trt-pose cameras`")
        return SourceUri("csi", rest, f"csi://{int(rest)}")
    if scheme == "v4l2":
        if not rest.startswith("/"):
            device = f"/dev/video{rest}" if rest.isdigit() else f"/dev/{rest.removeprefix('dev/') or 'video0'}"
            _refuse(f"{uri} names no device file", f"three slashes: v4l2://{device}; see `trt-pose cameras`")
        return SourceUri("v4l2", rest, rest)
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if host not in ("", "localhost") or not path:
            _refuse(f"{uri} names no file of this machine", "three slashes: file:///path/clip.mp4, or just the path")
        return SourceUri("path", unquote(slash + path), unquote(slash + path))
    if scheme == "synthetic":
        pattern, _, query = rest.partition("?")
        if pattern.rstrip("/") != "people":
            _refuse(f"{uri} names no synthetic source", "there is one: synthetic://people?n=3")
        return SourceUri("synthetic", "people", uri, dict(parse_qsl(query, keep_blank_values=True)))
    return _parse_stream(uri)


def _parse_path(uri: str) -> SourceUri:
    scheme, colon, rest = uri.partition(":")
    if colon and scheme.lower() in SCHEMES:
        slashes = ":///" if scheme.lower() in ("v4l2", "file") else "://"
        _refuse(
            f"{redact(scheme + '://' + rest.lstrip('/'))} is not written as a URI",
            f"write {scheme.lower()}{slashes}... ; a file of that name would be ./{scheme}:...",
        )
    device = uri.startswith("/dev/") and not uri.startswith("/dev/shm/")  # which holds files
    kind: Literal["v4l2", "path"] = "v4l2" if device else "path"
    return SourceUri(kind, uri, uri)


def _parse_stream(uri: str) -> SourceUri:
    escape = "in a user name or password write @ : / ? # as %40 %3A %2F %3F %23"
    name = redact(uri)
    if re.search(r"\s", uri):
        _refuse(f"{name} holds a blank", f"write it as %20; {escape}")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = None
    # Raised out here because the ValueError, which may quote a password, would travel along as the context.
    if parts is None or port == 0:
        _refuse(f"{name} has a port that is no number", f"write rtsp://host:554/path; {escape}")
    if not host:
        _refuse(f"{name} names no host", f"write rtsp://user:password@host/path; {escape}")
    if parts.scheme.startswith("http") and PurePosixPath(parts.path).suffix.lower() in _FILES_ON_THE_WEB:
        _refuse(f"{name} is a file, not a live stream", "download it and give its path; http:// is for cameras")
    return SourceUri("stream", uri, name)


def _refuse(message: str, hint: str) -> NoReturn:
    raise ConfigError(message, hint=hint)
