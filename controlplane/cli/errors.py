"""What can end a command.

CommandError              exit code
├── UnreachableError      3    nothing answers at the admin address
│   └── ClusterError      3    the cluster of the kubeconfig leads to no control plane
├── RefusedError          1    the control plane refused
├── UsageError            2    the words of the command are off
└── FindingError          1    the command worked, and found something wrong
"""

from __future__ import annotations


class CommandError(Exception):
    """Root of what ends a command; `str()` is for people and names the next command."""

    exit_code = 1


class UnreachableError(CommandError):
    """Nothing answers at the admin address."""

    exit_code = 3

    def __init__(self, address: str, cause: str) -> None:
        """Name the address and the cause."""
        super().__init__(
            f"no control plane answers at {address} ({cause})\n"
            "start one with `breakwater-controlplane` or name another with --admin HOST:PORT"
        )


class ClusterError(UnreachableError):
    """The cluster of the kubeconfig leads to no control plane."""

    def __init__(self, message: str) -> None:
        """Keep a message that says what to do."""
        CommandError.__init__(self, message)


class RefusedError(CommandError):
    """The control plane refused; its words follow."""

    def __init__(self, code: str, details: str) -> None:
        """Keep the gRPC code beside the control plane's words."""
        super().__init__(details or code)
        self.code = code


class UsageError(CommandError):
    """The words of the command are off."""

    exit_code = 2


class FindingError(CommandError):
    """The command worked, and found something wrong that it has shown already."""
