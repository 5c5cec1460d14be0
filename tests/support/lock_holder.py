"""A sidecar that loses its interpreter lock: `python -m tests.support.lock_holder FILE SECONDS FLAG...`.

A C call takes the lock once FILE exists, and no Python runs in the process until SECONDS later; it says so
before and afterwards.
"""

import ctypes
import signal
import sys
import threading
import time
from pathlib import Path

from sidecar.main import run

HELD, RELEASED = "lock held", "lock released"


def hold(trigger: Path, seconds: float) -> None:
    """Wait for the file, then sleep in a call that keeps the lock."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))  # a signal would end the sleep early
    libc = ctypes.PyDLL(None)
    while not trigger.exists():
        time.sleep(0.01)
    sys.stdout.write(f"{HELD}\n")
    sys.stdout.flush()
    libc.usleep(int(seconds * 1_000_000))
    sys.stdout.write(f"{RELEASED}\n")


if __name__ == "__main__":
    file, duration = sys.argv[1:3]
    del sys.argv[1:3]
    threading.Thread(target=hold, args=(Path(file), float(duration)), daemon=True).start()
    run()
