"""The state directory of a sidecar, and ways for it to go bad while the sidecar is down."""

import resource
import shutil
from pathlib import Path

CURRENT, PREVIOUS = "configuration", "configuration.previous"
SHORTEST_BYTES = 64

LOGS_INTO_A_PIPE = ("bash", "-c", 'exec "$@" > >(cat) 2>&1', "bash")
"""Goes before the command of a program that is to write no file by itself."""


def empty(file: Path) -> None:
    """Leave nothing of a file but its name, as a crash of the machine may."""
    file.write_bytes(b"")


def truncate(file: Path) -> None:
    """Cut off the second half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    """Change one bit near the end."""
    data = bytearray(file.read_bytes())
    data[-SHORTEST_BYTES // 2] ^= 1
    file.write_bytes(data)


def only_current(state: Path) -> Path:
    """Return the newest generation, once it is the only one."""
    (state / PREVIOUS).unlink(missing_ok=True)
    return state / CURRENT


def copy(source: Path, target: Path) -> None:
    """Put the generations of one sidecar in the place of another's."""
    for name in (CURRENT, PREVIOUS):
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def duplicate(state: Path, target: Path) -> None:
    """Put all that a state directory holds, but for its socket, in the place of what `target` held."""

    def sockets(place: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(place, name).is_socket()]

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(state, target, ignore=sockets)


def words(file: Path) -> str:
    """Return the text in which all names of one generation are found; empty while there is no such file."""
    return file.read_bytes().decode(errors="replace") if file.exists() else ""


def let_write_nothing(pid: int) -> None:
    """Have every write of a process to a file fail, as on a full disk."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
