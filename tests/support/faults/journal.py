"""What programs wrote into their logs, and when."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.support.process import Process


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a program's log, its fields, and the second of its writing on the machine's clock."""

    event: str
    at: float
    fields: Mapping[str, str]


def events(process: Process, *names: str, since: float = 0) -> list[Entry]:
    """Return the events of these names that a program wrote since an instant, in order."""
    return [entry for entry in _entries(process) if entry.event in names and entry.at >= since]


def _entries(process: Process) -> Iterator[Entry]:
    for line in process.output().splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue  # cut off by a kill, or for people
        if "event" in fields:
            yield Entry(fields["event"], datetime.fromisoformat(fields["ts"]).timestamp(), fields)
