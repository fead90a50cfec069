"""Whether this machine has the memory to build an engine: on small boards the kernel otherwise ends the build."""

from __future__ import annotations

import logging
from pathlib import Path

from trt_pose_app.probe.board import probe_memory

log = logging.getLogger(__name__)

# TensorRT's libraries, the CUDA context and the kernels it tries. A rule of thumb, not measured on a board.
_BASE_MIB = 2048
_WEIGHT_COPIES = 6  # the ONNX text, the parsed network, candidates in two precisions, the plan


def warn_if_short(onnx_bytes: int, workspace_mib: int | None, *, root: Path = Path("/")) -> str | None:
    """Log and return a warning with the commands that add swap, or return None if there seems to be enough."""
    memory = probe_memory(root)
    if memory.available_mib is None:
        return None
    need = _BASE_MIB + _WEIGHT_COPIES * onnx_bytes // 2**20 + (workspace_mib or 0)
    have = memory.available_mib + (memory.swap_mib or 0)
    if have >= need:
        return None
    swap_gib = -(-(need - have) // 1024) + 1
    text = (
        f"building may need {need} MiB, and {have} MiB are free with all swap: the build may be slow or be killed. "
        f"Close other programs, or add swap for the time of the build: sudo fallocate -l {swap_gib}G /swapfile && "
        "sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
    )
    log.warning("%s", text)
    return text
