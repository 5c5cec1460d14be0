"""What stands before the servers: certificates to show, and who is let in, as the settings say."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane.admin.guard import TokenGuard
from controlplane.admin.statuses import ErrorStatuses
from controlplane.authority.expiry import Shown
from controlplane.authority.guard import CallerGuard
from controlplane.authority.publishing import publishing
from controlplane.credentials import FileCredentials
from controlplane.errors import CredentialsError
from controlplane.injector.template import AUDIENCE
from controlplane.listen import Access
from registry.clock import MonotonicClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import grpc.aio

    from controlplane.authority.guard import Review
    from controlplane.caller import Identify
    from controlplane.config import Settings
    from controlplane.credentials import Keyring
    from controlplane.security import Security


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Those of `--listen` and `--admin`; `identify` says by its token who opens a stream of discovery."""

    sidecars: Access
    people: Access
    identify: Identify


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trust:
    """What to show, `None` in plain text; and who says whose a token is, `None` where nobody does."""

    keyring: Keyring | None = None
    review: Review | None = None


@asynccontextmanager
async def opening(settings: Settings) -> AsyncIterator[Gates]:
    """The gates, whose certificates are replaced in time until the block ends.

    Raises:
        AuthorityError: our own authority cannot be kept.
        CredentialsError: what is given cannot be read.
        KubernetesError: nothing says where the cluster is.
    """
    async with _trusting(settings) as trust:
        callers = (CallerGuard(trust.review, MonotonicClock()),) if trust.review else ()
        yield Gates(
            identify=callers[0].identify if callers else _nobody,
            sidecars=Access(keyring=trust.keyring, guards=callers),
            people=Access(
                keyring=trust.keyring,
                client_roots=_client_roots(settings.security),
                guards=tuple(_for_people(settings.security)),
            ),
        )


def _client_roots(security: Security) -> bytes | None:
    """Who vouches for people, if they show certificates."""
    if security.admin_roots is None:
        return None
    try:
        return security.admin_roots.read_bytes()
    except OSError as error:
        raise CredentialsError(f"cannot read {security.admin_roots}: {error.strerror}") from error


def shown(settings: Settings, gates: Gates) -> Iterator[Shown]:
    """The certificates that are shown at the gates and by the webhooks."""
    keyring, injection = gates.people.keyring, settings.injection
    issuer = "given" if settings.security.certificate else "own"
    if keyring:
        yield Shown("server", issuer, keyring)
    if injection and injection.certificate and injection.key:
        yield Shown("webhook", "given", FileCredentials(injection.certificate, injection.key))
    elif injection and keyring:
        yield Shown("webhook", issuer, keyring)


async def _nobody(_: str) -> None:
    """Where nobody vouches for anybody."""


def _for_people(security: Security) -> Iterator[grpc.aio.ServerInterceptor]:
    if security.admin_token:
        yield TokenGuard(security.admin_token)
    yield ErrorStatuses()


@asynccontextmanager
async def _trusting(settings: Settings) -> AsyncIterator[_Trust]:
    security = settings.security
    given = None
    if security.certificate and security.key:
        given = FileCredentials(security.certificate, security.key, security.bundle)
    if settings.kubernetes and not settings.insecure:
        async with _in_cluster(settings, given) as trust:
            yield trust
    elif given:
        yield _Trust(keyring=given)
    elif security.ca_dir:
        from controlplane.authority.directory import DirectoryKeep  # noqa: PLC0415  # 10 MB, for who needs it
        from controlplane.authority.issuing import issuing  # noqa: PLC0415  # the same

        names = (*security.names, settings.listen.host, settings.admin.host)
        async with issuing(DirectoryKeep(security.ca_dir), names, settings.trust_domain) as keyring:
            yield _Trust(keyring=keyring)
    else:
        yield _Trust()


@asynccontextmanager
async def _in_cluster(settings: Settings, given: Keyring | None) -> AsyncIterator[_Trust]:
    """The cluster says whose tokens are; it keeps our roots, unless a certificate is given."""
    from controlplane.authority.directory import DirectoryKeep  # noqa: PLC0415  # 10 MB, for who needs it
    from controlplane.authority.issuing import issuing  # noqa: PLC0415  # the same
    from controlplane.kubernetes.api import reaching  # noqa: PLC0415  # a second and 50 MB, for who needs it
    from controlplane.kubernetes.keeping import SecretKeep  # noqa: PLC0415  # the same
    from controlplane.kubernetes.tokens import TokenReviews  # noqa: PLC0415  # the same

    if settings.kubernetes is None:
        return
    async with reaching(settings.kubernetes) as api:
        review = TokenReviews(api, AUDIENCE)
        security = settings.security
        if given:
            async with AsyncExitStack() as stack:
                if security.bundle:
                    await stack.enter_async_context(publishing(SecretKeep(api, security.webhooks), given))
                yield _Trust(keyring=given, review=review)
            return
        keep = DirectoryKeep(security.ca_dir) if security.ca_dir else SecretKeep(api, security.webhooks)
        # Of whatever Service of our namespace leads here.
        services = (f"*.{api.namespace}.svc", f"*.{api.namespace}.svc.{settings.trust_domain}")
        names = (*security.names, *services, settings.listen.host, settings.admin.host)
        async with issuing(keep, names, settings.trust_domain) as keyring:
            yield _Trust(keyring=keyring, review=review)
