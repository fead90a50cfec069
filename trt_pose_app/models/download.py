"""Fetches one file over HTTP: resumed, verified, and in place only when it is whole."""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from trt_pose_app.errors import ChecksumError, ConfigError, ModelNotFoundError
from trt_pose_app.models.checksum import sha256_of
from trt_pose_app.models.part_file import Origin, PartFile, Progress, open_part

_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)


def fetch(
    urls: Sequence[str],
    target: Path,
    sha256: str | None,
    progress: Progress | None = None,
    *,
    force: bool = False,
    timeout_s: float = 20.0,
    attempts: int = 3,
    backoff_s: float = 0.5,
) -> str:
    """Bring the file at one of ``urls`` to ``target`` and return its sha256.

    The mirrors are tried in order. A broken transfer is taken up where it broke (up to ``attempts`` times without a
    new byte, then comes the next mirror), also by a later call: the bytes wait in ``target.part``. ``target`` appears
    at once and whole, after its checksum was compared; of two processes that fetch it, one waits for the other. A
    ``target`` with the right checksum, or about which none is known, is kept unless ``force``.

    Raises ModelNotFoundError when no mirror delivers, ChecksumError when what they deliver has another sha256,
    ModelError when the disk is full.
    """
    for url in urls:
        if not _is_plain_http(url):
            raise ConfigError("an address is not http(s)://host/path", hint="it carries no user name or password")
    with open_part(target) as part:
        if not force and target.is_file() and sha256 in (None, actual := sha256_of(target)):
            return actual
        failures = []
        wrong = False
        for url in urls:
            try:
                return _from_mirror(url, part, sha256, progress, timeout_s, attempts, backoff_s)
            except ChecksumError as error:
                wrong = True
                failures.append(f"{_shown(url)}: {error.message}")
            except _MirrorError as error:
                failures.append(f"{_shown(url)}: {error}")
    error_type = ChecksumError if wrong else ModelNotFoundError
    raise error_type(
        f"cannot fetch {target.name}: {'; '.join(failures)}",
        hint="run it again to resume, or fetch the file on another machine and use --from FILE",
    )


def copy(source: Path, target: Path, sha256: str | None, progress: Progress | None = None) -> str:
    """Bring the local file ``source`` to ``target`` as ``fetch`` does, and return its sha256.

    Raises ModelNotFoundError, ChecksumError, ModelError.
    """
    with open_part(target) as part:
        try:
            with source.open("rb") as file:
                part.fill(file, os.fstat(file.fileno()).st_size, progress)
        except OSError as error:
            raise ModelNotFoundError(f"cannot read {source}: {_reason(error)}", hint="check the path") from error
        try:
            return part.install(sha256)
        except ChecksumError as error:
            raise ChecksumError(f"{source} was not installed: {error.message}", hint=error.hint) from None


class _MirrorError(Exception):
    """This mirror does not deliver; the text says why, for the reader."""


def _from_mirror(
    url: str,
    part: PartFile,
    sha256: str | None,
    progress: Progress | None,
    timeout_s: float,
    attempts: int,
    backoff_s: float,
) -> str:
    """Install the target from one mirror and return its sha256. Raises _MirrorError, ChecksumError, ModelError."""
    resumed = part.size > 0
    failures, furthest = 0, part.size
    while True:
        try:
            _transfer(url, part, sha256 is not None, progress, timeout_s)
            return part.install(sha256)
        except ChecksumError:
            if not resumed:
                raise
            resumed = False  # the beginning may have been the wrong one: once more, from the start
            continue
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"HTTP {error.code} {http.client.responses.get(error.code, '')}".rstrip()
            if error.code not in _RETRIED_STATUS:
                raise _MirrorError(reason) from None
        except (OSError, http.client.HTTPException) as error:
            reason = _reason(error)
        resumed = resumed or part.size > 0
        failures = 1 if part.size > furthest else failures + 1
        furthest = max(furthest, part.size)
        if failures >= attempts:
            raise _MirrorError(reason)
        time.sleep(backoff_s * 2 ** (failures - 1))


def _transfer(url: str, part: PartFile, checked: bool, progress: Progress | None, timeout_s: float) -> None:
    """Ask once for what ``part`` lacks and append it. Raises OSError or HTTPException when the transfer breaks."""
    origin = part.origin if part.size else None
    same_url = origin is not None and origin.url == url
    if origin is not None and same_url and origin.total == part.size:
        return
    # A compressed answer would have neither the length nor the checksum that is expected.
    headers = {"User-Agent": "trt-pose", "Accept-Encoding": "identity"}
    if origin is not None and same_url and origin.validator is not None:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": origin.validator}
    elif part.size and checked:  # from another mirror, say: the checksum will tell whether the halves fit
        headers["Range"] = f"bytes={part.size}-"
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        part.clear()
        raise ConnectionError("the file on the server has changed") from None
    with response:
        if response.headers.get_content_type() == "text/html":
            raise _MirrorError("it answers with a web page instead of the file")
        resumes = response.status == http.client.PARTIAL_CONTENT
        if resumes:
            start, total = _content_range(response.headers.get("Content-Range", ""))
            other = same_url and origin is not None and origin.total not in (None, total)
            if "Range" not in headers or start != part.size or other:
                part.clear()
                raise ConnectionError("the file on the server has changed")
        else:
            total = _integer(response.headers.get("Content-Length"))
        part.begin(Origin(url, _validator(response.headers), total), keep=resumes)
        part.append(response, total, progress)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http(s) only, and never from https back to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if not _is_plain_http(newurl) or (req.type == "https" and urlsplit(newurl).scheme != "https"):
            raise _MirrorError("it redirects to an address that is not allowed here")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> urllib.request.OpenerDirector:
    # Not build_opener, which would also open file:, ftp: and data: addresses.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener


def _is_plain_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a token


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "it does not answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _validator(headers: Message) -> str | None:
    etag = headers.get("ETag")
    # If-Range compares strongly, so a weak ETag is of no use.
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _content_range(text: str) -> tuple[int | None, int | None]:
    """Return the first byte and the size of the whole from ``bytes 5-9/10``, None for what it does not say."""
    span, _, total = text.removeprefix("bytes ").partition("/")
    return _integer(span.partition("-")[0]), _integer(total)
