"""Calls to a cluster: which member, for how long, as whom, and when to repeat.

Theory of operation. An attempt fails for one of three reasons. It was refused before etcd did anything: then
it is repeated, whatever it was. It was refused for good: then the caller is told. Or nobody knows: the answer
did not come, or the connection broke. Then it is repeated only if the caller said that twice is as good as
once, and otherwise the caller is told that the store is unavailable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import grpc.aio

from registry.config import EtcdAccess
from registry.errors import StoreFullError, StoreRefusedError, StoreUnavailableError
from registry.etcd.codec import AUTHENTICATE, Method, authenticate_request
from registry.etcd.members import Member, Members
from registry.etcd.token import Token
from registry.etcd.verdict import Failure, Verdict, judge

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Result = TypeVar("_Result")

Metadata = tuple[tuple[str, str], ...]
Attempt = Callable[[Member, Metadata], Awaitable[_Result]]
"""One try, with one member."""

# Longer than an election, and shorter than the five seconds within which a caller is to be told.
_CALL_SECONDS: Final = 4.5
_ATTEMPT_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.1

# A member that knows of no leader answers at once instead of waiting for one: so nothing is left open.
_NEEDS_LEADER: Final = ("hasleader", "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[_Result]):
    """What came back; `is_repeat` when an earlier attempt may have been carried out as well."""

    result: _Result
    is_repeat: bool


class NotDoneError(Exception):
    """etcd did not do it, for a reason that only the caller can put into words."""

    def __init__(self, failure: Failure, *, is_repeat: bool) -> None:
        super().__init__(failure.text)
        self.verdict = failure.verdict
        self.is_repeat = is_repeat


class FailedError(Exception):
    """One attempt failed, told by other means than the status of a call."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


@contextmanager
def cancelled_by_us_alone() -> Iterator[None]:
    """Has a call fail that was cancelled, unless it was because the task that waits for it was.

    Whoever closes a channel cancels every call on it, and the library tells those who wait for them as if
    they had been cancelled themselves: nobody would miss a task that ends so.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
        raise FailedError(Failure(verdict=Verdict.UNKNOWN, text="the call was cancelled")) from None


class Client:
    """Calls members one after the other until one answers."""

    def __init__(self, members: Members, access: EtcdAccess) -> None:
        self._members = members
        self._token = Token(access, self._authenticate)

    async def call(
        self, method: Method[_Request, _Response], request: _Request, *, repeatable: bool
    ) -> Answer[_Response]:
        """The answer to one request; `attempt` says the rest."""
        return await self.attempt(unary(method, request), repeatable=repeatable)

    async def attempt(self, attempt: Attempt[_Result], *, repeatable: bool) -> Answer[_Result]:
        """The result of the first attempt that succeeds.

        Raises:
            NotDoneError: etcd did not do it because of what is, or is not, in the store.
            StoreFullError: it has no room.
            StoreRefusedError: it never will.
            StoreUnavailableError: there was no answer in time, or nobody knows whether it was done.
        """
        return await self._persist(attempt, self._token.get, repeatable=repeatable)

    async def _persist(
        self, attempt: Attempt[_Result], get_token: Callable[[], Awaitable[str]], *, repeatable: bool
    ) -> Answer[_Result]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _CALL_SECONDS
        is_repeat = False
        while True:
            token = await get_token()
            member = self._members.current
            try:
                seconds = min(_ATTEMPT_SECONDS, deadline - loop.time())
                return Answer(result=await _try(attempt, member, token, seconds), is_repeat=is_repeat)
            except FailedError as error:
                failure = error.failure
            await self._recover(failure, member, token, is_repeat=is_repeat)
            is_unknown = failure.verdict is Verdict.UNKNOWN
            if (is_unknown and not repeatable) or loop.time() + _PAUSE_SECONDS > deadline:
                raise self._unavailable(failure)
            is_repeat = is_repeat or is_unknown
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _recover(self, failure: Failure, member: Member, token: str, *, is_repeat: bool) -> None:
        """Makes the next attempt a better one, or raises because there is none."""
        match failure.verdict:
            case Verdict.REFUSED_FOR_NOW | Verdict.UNKNOWN:
                await self._members.leave(member)
            case Verdict.STALE_TOKEN:
                self._token.forget(token)
            case Verdict.COMPACTED | Verdict.LEASE_NOT_FOUND | Verdict.LEASE_EXISTS:
                raise NotDoneError(failure, is_repeat=is_repeat)
            case _ if is_repeat:
                raise self._unavailable(failure)
            case Verdict.FULL:
                raise StoreFullError
            case Verdict.INVALID:
                raise StoreRefusedError(f"expected etcd to accept the call, found {failure.text}")

    def _unavailable(self, failure: Failure) -> StoreUnavailableError:
        return StoreUnavailableError(f"expected an answer of etcd at {self._members}, found {failure.text}")

    async def _authenticate(self, user: str, password: str) -> str:
        attempt = unary(AUTHENTICATE, authenticate_request(user, password))
        try:
            answer = await self._persist(attempt, _no_token, repeatable=True)
        except StoreRefusedError as error:
            if "authentication is not enabled" in str(error):
                return ""
            raise StoreRefusedError(f"user {user!r}: {error}; check --etcd-password-file") from error
        return answer.result.token


def unary(method: Method[_Request, _Response], request: _Request) -> Attempt[_Response]:
    """The attempt to make one call."""

    async def attempt(member: Member, metadata: Metadata) -> _Response:
        call: Any = member.channel.unary_unary(method.path, method.encode, method.decode)
        response: _Response = await call(request, metadata=metadata)
        return response

    return attempt


async def _no_token() -> str:
    return ""


async def _try(attempt: Attempt[_Result], member: Member, token: str, seconds: float) -> _Result:
    metadata = (_NEEDS_LEADER, ("token", token)) if token else (_NEEDS_LEADER,)
    try:
        with cancelled_by_us_alone():
            async with asyncio.timeout(seconds):
                return await attempt(member, metadata)
    except grpc.aio.AioRpcError as error:
        raise FailedError(judge(error.code(), error.details() or "")) from error
    except TimeoutError as error:
        text = f"no answer of {member.address} within {seconds:.1f} s"
        raise FailedError(Failure(verdict=Verdict.UNKNOWN, text=text)) from error
