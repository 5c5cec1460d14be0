"""What the sidecar's program may load: every module costs memory beside every workload."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
before = set(sys.modules)
import sidecar.main
print(*sorted(set(sys.modules) - before))
"""


def loaded() -> set[str]:
    """Return the modules that the program adds to a bare interpreter."""
    found = subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True, text=True)
    return set(found.stdout.split())


def resident_kib(program: str) -> int:
    """Return the private memory of an interpreter after `program`; what is mapped from files is shared."""
    code = program + "\nprint(*(line.split()[1] for line in open('/proc/self/status') if 'RssAnon' in line))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(found.stdout)


def test_only_the_programs_own_modules_are_loaded() -> None:
    own = {"config", "errors", "flags", "main", "proxy", "_core"}
    assert loaded() - {"__future__"} <= {"sidecar"} | {f"sidecar.{name}" for name in own}


def test_a_bare_interpreter_and_the_program_differ_by_little_memory() -> None:
    assert resident_kib("import sidecar.main") - resident_kib("") < 4_096
