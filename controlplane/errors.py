"""What can go wrong in the control plane.

    ControlPlaneError
    ├── SettingsError               flags, environment or file with problems, all of them listed
    ├── ListenError                 an address that cannot be listened on
    ├── FrontError                  what carries the connections of sidecars ended by itself
    ├── CredentialsError            there is nothing to show to who connects
    ├── AuthorityError              roots that cannot be read, kept or published
    ├── ReviewError                 nobody can say now whose a token is
    ├── TokenError                  a token that proves nothing
    ├── MalformedReviewError        a webhook was asked nothing that it could answer
    ├── DiscoveryError
    │   ├── ProtocolError           a sidecar said what it may not say here
    │   ├── TooManyResourcesError   a sidecar asked for more than any workload needs
    │   ├── ReplacedError           the same sidecar opened another stream
    │   ├── DismissedError          the sidecar is better served elsewhere
    │   └── ImpersonationError      a sidecar claims what is another's
    ├── AdminError
    │   ├── NotFoundError           what was named does not exist
    │   ├── InvalidRequestError     a request with problems, all of them listed by field
    │   ├── ReadOnlyError           the object is to be changed elsewhere
    │   └── PartlyKeptError         the store went away between two transactions of one change
    ├── HistoryError                what is kept of the history of policies cannot be read
    ├── PeerError                   another control plane did not answer
    ├── KubernetesError             the API server did not do what was asked
    └── CommandError
        ├── NotAttachedError        the sidecar has no command stream
        ├── UnansweredError         the sidecar did not answer in time, or went away
        ├── TooManyCommandsError    too many commands wait for the sidecar already
        └── FailedError             the sidecar answered that it could not

`origin` says whose doing it was; `retryable` whether the same call may succeed later.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from registry.errors import Origin


class ControlPlaneError(Exception):
    """Root of everything this package raises on purpose."""

    origin: ClassVar[Origin] = Origin.INTERNAL
    retryable: ClassVar[bool] = False


class SettingsError(ControlPlaneError):
    """Settings with problems; `problems` has every one."""

    origin = Origin.DOWNSTREAM

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ListenError(ControlPlaneError):
    """An address that cannot be listened on."""

    retryable = True

    def __init__(self, flag: str, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}; give another with {flag} HOST:PORT")


class FrontError(ControlPlaneError):
    """What carries the connections of sidecars ended by itself: nobody can connect any more."""

    def __init__(self) -> None:
        super().__init__("the thread that carries connections has ended; what it said last is above")


class CredentialsError(ControlPlaneError):
    """There is nothing to show to who connects."""


class AuthorityError(ControlPlaneError):
    """Roots that cannot be read, kept or published."""

    retryable = True


class ReviewError(ControlPlaneError):
    """Nobody can say now whose a token is."""

    origin = Origin.UPSTREAM
    retryable = True


class TokenError(ControlPlaneError):
    """A token that proves nothing."""

    origin = Origin.DOWNSTREAM


class MalformedReviewError(ControlPlaneError):
    """A webhook was asked nothing that it could answer."""

    origin = Origin.DOWNSTREAM


class DiscoveryError(ControlPlaneError):
    """Root of what ends a stream of discovery."""

    origin = Origin.DOWNSTREAM


class ProtocolError(DiscoveryError):
    """A sidecar said what it may not say here."""


class TooManyResourcesError(DiscoveryError):
    """A sidecar asked for more than any workload needs."""

    def __init__(self, *, limit: int, found: int) -> None:
        super().__init__(f"expected at most {limit} resources on one stream, found {found}")


class ReplacedError(DiscoveryError):
    """The same sidecar opened another stream, or another one took its name."""

    def __init__(self, instance: str) -> None:
        super().__init__(
            f"another stream of {instance!r} took over; give each sidecar an --instance of its own"
        )


class DismissedError(DiscoveryError):
    """Another replica has what this one lacks."""

    origin = Origin.UPSTREAM
    retryable = True

    def __init__(self) -> None:
        super().__init__("the store is out of reach here, and not from another control plane")


class ImpersonationError(DiscoveryError):
    """A sidecar claims what is another's."""


class AdminError(ControlPlaneError):
    """Root of what a question or an order of a person may end in; messages name the next command."""

    origin = Origin.DOWNSTREAM


class NotFoundError(AdminError):
    """What was named does not exist."""


class InvalidRequestError(AdminError):
    """A request with problems; `violations` maps each field at fault to what was expected and found."""

    def __init__(self, violations: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {text}" for field, text in violations.items()))
        self.violations = dict(violations)


class ReadOnlyError(AdminError):
    """The object is to be changed elsewhere."""


class PartlyKeptError(AdminError):
    """The store went away between two transactions of one change."""

    origin = Origin.UPSTREAM
    retryable = True

    def __init__(self, kept: int, of: int, reason: str) -> None:
        super().__init__(
            f"kept {kept} of {of} objects, then: {reason}; run the same command again to go on from there"
        )


class HistoryError(ControlPlaneError):
    """What is kept of the history of policies cannot be read."""


class PeerError(ControlPlaneError):
    """Another control plane did not answer."""

    origin = Origin.UPSTREAM
    retryable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"control plane {name!r} does not answer: {reason}")


class KubernetesError(ControlPlaneError):
    """The API server did not do what was asked.

    `status` is that of its answer, 0 when there was none, and `reason` its word for it; `retry_after_seconds`
    is how long it asks us to stay away.
    """

    origin = Origin.UPSTREAM
    retryable = True

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class CommandError(ControlPlaneError):
    """Root of what a command to a sidecar may end in."""

    origin = Origin.UPSTREAM
    retryable = True


class NotAttachedError(CommandError):
    """The sidecar has no command stream."""

    def __init__(self, instance: str) -> None:
        super().__init__(f"sidecar {instance!r} is not connected; see `breakwater proxy-status`")


class UnansweredError(CommandError):
    """The sidecar did not answer in time, or went away."""

    def __init__(self, instance: str) -> None:
        super().__init__(f"sidecar {instance!r} did not answer; see `breakwater proxy-status`")


class TooManyCommandsError(CommandError):
    """Too many commands wait for the sidecar already."""

    def __init__(self, instance: str, limit: int) -> None:
        super().__init__(
            f"expected at most {limit} commands waiting for sidecar {instance!r}; try again later"
        )


class FailedError(CommandError):
    """The sidecar answered that it could not."""

    retryable = False

    def __init__(self, instance: str, reason: str) -> None:
        super().__init__(f"sidecar {instance!r}: {reason}")
