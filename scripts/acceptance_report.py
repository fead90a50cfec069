"""Write FOLDER/report.md from what scripts/jetson_acceptance.sh left in FOLDER: the one file to attach to an issue."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_LINES = 40  # of a failed check's error output


def report(folder: Path) -> str:
    """Return the report: every check with its time, the machine, each engine, the figures, the errors in full."""
    checks = [line.split("\t") for line in _text(folder / "checks.tsv").splitlines()]
    counts = {word: sum(check[0] == word for check in checks) for word in ("PASS", "FAIL", "SKIP")}
    parts = ["# Acceptance on a board", "", ", ".join(f"{n} {word.lower()}" for word, n in counts.items()), ""]
    parts += ["| result | check | seconds | note |", "|---|---|---|---|"]
    parts += ["| " + " | ".join(check) + " |" for check in checks]
    for engine in sorted(folder.glob("engines/*.engine.json")):
        parts += ["", f"## {engine.stem}", "", *_block(engine)]
    for _, name, *_ in (check for check in checks if check[0] == "FAIL"):
        tail = _text(folder / f"{name}.err").splitlines()[-_LINES:]
        parts += ["", f"## {name} failed", "", "```text", *tail, "```"]
    for figures in sorted([*folder.glob("bench-*.out"), *folder.glob("parity-*.out"), *folder.glob("eval-*.out")]):
        parts += ["", f"## {figures.stem}", "", *_block(figures)]
    parts += ["", "## Machine", "", *_block(folder / "doctor.json")]
    return "\n".join(parts) + "\n"


def _block(path: Path) -> list[str]:
    text = _text(path)
    try:
        text = json.dumps(json.loads(text), indent=1)
    except ValueError:
        text = text[-4000:]
    return ["```json", text.strip(), "```"]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "report.md").write_text(report(folder), encoding="utf-8")
