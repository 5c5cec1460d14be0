"""A network and mounts of our own: nobody else feels what a fault test breaks, nor disturbs it."""

import ctypes
import os
import subprocess

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000


def isolate() -> None:
    """Move this thread, and all that it starts from now on, to where there is nothing but loopback.

    There is no way back; what is mounted and which namespaces are made ends with the process.

    Raises:
        PermissionError: This user may not; the suite runs as root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS):
        message = (
            f"fault tests cut networks and fill disks: run them as root ({os.strerror(ctypes.get_errno())})"
        )
        raise PermissionError(message)
    subprocess.run(("mount", "--make-rprivate", "/"), check=True)
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
