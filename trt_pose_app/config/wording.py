"""What pydantic finds wrong in a table, in the words of this package."""

from __future__ import annotations

from pydantic import ValidationError

from trt_pose_app.config.pattern import IN_WORDS


def mistakes_of(error: ValidationError, whole: str) -> str:
    """Return every mistake as ``table.field: reason``, one after another; ``whole`` names the outermost table.

    Values are not quoted: an address may hold a password.
    """
    found = []
    for detail in error.errors(include_input=False, include_url=False):
        where = ".".join(map(str, detail["loc"])) or whole
        match detail["type"]:
            case "missing":
                reason = "is missing"
            case "extra_forbidden":
                reason = "unknown field"
            case "string_pattern_mismatch":
                reason = f"must be {IN_WORDS[detail['ctx']['pattern']]}"
            case _:
                reason = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
        found.append(f"{where}: {reason}")
    return "; ".join(found)
