"""Golden files: exact bytes and rounds, reviewed like code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "golden" / "mpc.json"


def settle(what: str, results: list[dict[str, Any]]) -> int:
    """Write the counts of these results, or compare them with what is written: 0 if they are the same."""
    counts = {f"{one['name']} {one['rows']}": [one["bytes_per_server"], one["rounds"]] for one in results}
    if what == "write":
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    written = json.loads(FILE.read_text(encoding="utf-8"))
    changed = {name: (written.get(name), found) for name, found in counts.items() if written.get(name) != found}
    for name, (before, now) in changed.items():
        print(f"{name}: bytes and rounds were {before}, are {now}")
    return 1 if changed else 0
