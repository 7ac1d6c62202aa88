"""Sends requests to an endpoint: concurrently, again when that can help, within a budget."""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

import httpx2
from harness.errors import UserError, one_line

from harness_openai_api.pool import Pool, Server
from harness_openai_api.replies import FILTERED, BadReplyError
from harness_openai_api.secrets import Secret
from harness_openai_api.traffic import watch

_MOST_BYTES = 64 << 20
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds between tries; each doubles, with full jitter
_LONGEST_ASKED = 600.0  # seconds that a server may ask us to wait
_LONG_WAIT = 10.0  # seconds; a longer wait is announced
_SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_ABOUT_THE_REQUEST = {"refused", "bad_answer", "no_text", FILTERED}
_Answer = TypeVar("_Answer")
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}


class EndpointError(Exception):
    """A request that was not answered; becomes a ``Failed`` of that kind.

    Attributes:
        kind: Such as ``timeout``, ``endpoint_down``, ``not_json``, ``rate_limited``.
        again: Whether another try may help.
        wait: Seconds that the server asked to wait before it.
    """

    def __init__(
        self, kind: str, message: str, *, again: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.again, self.wait = kind, again, wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How requests are sent.

    Attributes:
        base_urls: Endpoints that serve the model, without a slash at their ends.
        key: Sent as a bearer token; empty for none.
        concurrency: Requests under way at once, at each endpoint.
        max_concurrency: To which that may grow.
        timeout: Seconds for a try.
        retries: Further tries.
    """

    base_urls: tuple[str, ...]
    key: str = ""
    concurrency: int = 8
    max_concurrency: int = 8
    timeout: float = 120.0
    retries: int = 5


class Client:
    """A connection to the endpoints of a model, used inside one event loop.

    Attributes:
        requests: Requests sent so far, further tries too.
        tokens: Tokens used so far, as the endpoint counts them.
    """

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._http: httpx2.AsyncClient | None = None
        self._pool: Pool | None = None
        self._announced = 0.0  # the end of the last wait that was announced
        self.secret = Secret(sending.key)
        self._key_works = False  # as an answer has shown
        self.requests = 0
        self.tokens = 0

    async def post(
        self, path: str, body: Mapping[str, Any], read: Callable[[dict[str, Any]], _Answer]
    ) -> _Answer:
        """Return what an answer to a request says; tried again where that can help.

        Args:
            path: Below the base address, or, where it begins with two slashes, below the server's
                root.
            body: Sent as JSON.
            read: Reads an answer; one that it cannot use (``BadReplyError``) is an error of its
                endpoint, and the others are asked.

        Raises:
            EndpointError: when there is none.
            UserError: when the endpoint refuses the key.
        """
        http, pool = self._open()
        data = json.dumps(body, ensure_ascii=False).encode()
        pause, left = _FIRST_WAIT, self._sending.retries
        errors: dict[Server, EndpointError] = {}  # of one try; an endpoint's own answer for all
        while True:
            try:
                async with pool.server(errors) as server:
                    await asyncio.sleep(max(0.0, server.not_before - time.monotonic()))
                    answer = await self._ask(http, server, path, data, read)
            except EndpointError as error:
                errors[server] = error
                _rest(pool, server, error)
                if pool.has_other(errors):
                    continue  # no try is used up
                again = {one: error for one, error in errors.items() if error.again}
                if not left or not again:
                    # The same one whichever was asked last, so that records are equal.
                    raise next(errors[one] for one in pool.servers if one in errors) from None
                left -= 1
                # Jitter keeps many clients from coming back at the same moment.
                wait = min(error.wait or 0.0 for error in again.values())
                seconds = random.uniform(0, pause) + wait
                self._tell(seconds, next(iter(again.values())))
                await asyncio.sleep(seconds)
                pause = min(pause * 2, _LONGEST_WAIT)
                for one in again:
                    del errors[one]
            else:
                pool.answered(server)
                return answer

    async def _ask(
        self,
        http: httpx2.AsyncClient,
        server: Server,
        path: str,
        data: bytes,
        read: Callable[[dict[str, Any]], _Answer],
    ) -> _Answer:
        """Send a request to one endpoint, and let its pace know how that went."""
        self.requests += 1
        started, failed = time.monotonic(), True
        try:
            reply = await self._try(http, server.url, "POST", path, data)
            self._key_works = True
            self.tokens += _tokens_used(reply)
            answer = _read(read, reply)
            failed = False
            return answer
        except EndpointError as error:
            failed = error.kind not in _ABOUT_THE_REQUEST
            server.failed += 1
            raise
        finally:
            server.pace.done(time.monotonic() - started, failed=failed)

    def _tell(self, pause: float, error: EndpointError) -> None:
        """Say that a long wait begins; of waits at once the first says it."""
        until = time.monotonic() + pause
        if pause <= _LONG_WAIT or until <= self._announced + _LONG_WAIT:
            return
        self._announced = until
        clock = (datetime.now().astimezone() + timedelta(seconds=pause)).strftime("%H:%M:%S")
        print(f"openai_api: waits until {clock} ({error})", file=sys.stderr, flush=True)

    async def check(self, model: str) -> None:
        """See whether the endpoints are there at all; of several, one is enough.

        Args:
            model: Its name.

        Raises:
            UserError: all are down, or one is no API, refuses the key, or does not list the model
                that another one lists.
        """
        http, pool = self._open()
        await asyncio.gather(*(self._check(http, pool, server) for server in pool.servers))
        listed = any(model in server.models for server in pool.servers)
        for server in pool.servers:
            if listed and server.models and model not in server.models:
                raise UserError(
                    f"this endpoint does not list {model!r}, and another one does",
                    where=server.url,
                    fix=f"name endpoints that serve {model!r}",
                )

    async def _check(self, http: httpx2.AsyncClient, pool: Pool, server: Server) -> None:
        try:
            server.models = _names(await self._try(http, server.url, "GET", "/models", None))
        except EndpointError as error:
            if error.kind in {"refused", "server_error", "rate_limited"}:
                return  # someone is there; many servers lack this list
            if error.kind in {"endpoint_down", "timeout"} and pool.failed(
                server, error, is_down=True
            ):
                return
            raise UserError(str(error), where=server.url, fix=_FIXES[error.kind]) from None

    async def documents(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Return the address and the OpenAPI document of each server that is there.

        A server without one has ``None``.
        """
        http, pool = self._open()
        documents: list[tuple[str, dict[str, Any] | None]] = []
        for server in pool.servers:
            if server.is_down:  # as the check before has found
                continue
            try:
                document = await self._try(http, server.url, "GET", "//openapi.json", None)
            except EndpointError:
                documents.append((server.url, None))
            else:
                documents.append((server.url, document))
        return documents

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _open(self) -> tuple[httpx2.AsyncClient, Pool]:
        if self._http is None or self._pool is None:
            sending = self._sending
            most = max(sending.concurrency, sending.max_concurrency)
            self._pool = Pool(sending.base_urls, sending.concurrency, most)
            watch(self._pool)
            self._http = httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {sending.key}"} if sending.key else {},
                timeout=httpx2.Timeout(sending.timeout),
                limits=httpx2.Limits(max_connections=most * len(sending.base_urls)),
                follow_redirects=False,  # the key must not go elsewhere
            )
        return self._http, self._pool

    async def _try(
        self, http: httpx2.AsyncClient, base_url: str, method: str, path: str, data: bytes | None
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if data is not None else {}
        try:
            async with (
                asyncio.timeout(self._sending.timeout),
                http.stream(
                    method, _address(base_url, path), content=data, headers=headers
                ) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise EndpointError("bad_answer", "the answer is over 64 MiB")
        except (httpx2.TimeoutException, TimeoutError):
            message = f"no whole answer within {self._sending.timeout:g} seconds"
            raise EndpointError("timeout", message, again=True) from None
        except (httpx2.ConnectError, httpx2.UnsupportedProtocol, httpx2.ProxyError) as error:
            message = f"the endpoint cannot be reached: {self._clean(error)}"
            raise EndpointError("endpoint_down", message, again=True) from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            message = f"the connection broke off: {self._clean(error)}"
            raise EndpointError("endpoint_cut", message, again=True) from None
        # Before anything reads, cuts or keeps a part of it.
        text = self.secret.out_of_answer(bytes(body).decode("utf-8-sig", errors="replace"))
        wait = retry_after(response.headers.get("retry-after"))
        if response.status_code != httpx2.codes.OK:
            self._refuse(base_url, response.status_code, text, wait)
        answer = self._parsed(text, response.headers.get("content-type", ""))
        if fault := _error_of(answer):
            self._refuse(base_url, _status(fault), text, wait)
        return answer

    def _parsed(self, text: str, kind: str) -> dict[str, Any]:
        try:
            reply = json.loads(text, parse_constant=_refuse_constant)
        except EndpointError:
            raise
        except (ValueError, RecursionError):
            page = "html" in kind or text.lstrip()[:1] == "<"
            content = "a web page" if page else f"what is not JSON ({self._clean(text)[:80]!r})"
            raise EndpointError("not_json", f"the endpoint answers with {content}") from None
        if not isinstance(reply, dict):
            raise EndpointError("bad_answer", "the endpoint's answer is no JSON object")
        return reply

    def _refuse(self, base_url: str, status: int, text: str, wait: float | None) -> NoReturn:
        """Raise the error that an answer holds; its status is 200 where it gives no other."""
        reason = f"the endpoint answers {status}: {self._clean(_reason(text))}"
        if _is_filtered(text):
            raise EndpointError(FILTERED, reason)
        # Once the key has worked, 403 is about what was asked: a host that moderates says it so.
        if status == httpx2.codes.UNAUTHORIZED or (
            status == httpx2.codes.FORBIDDEN and not self._key_works
        ):
            raise UserError(
                reason,
                where=base_url,
                fix="put a valid key into the environment: OPENAI_API_KEY, or what key_env names",
            )
        if status not in _AGAIN:
            raise EndpointError("refused", reason)
        kind = "rate_limited" if status == httpx2.codes.TOO_MANY_REQUESTS else "server_error"
        again = wait is None or wait <= _LONGEST_ASKED
        raise EndpointError(kind, reason, again=again, wait=wait)

    def _clean(self, message: object) -> str:
        """Return what a stranger says on one line, without the key."""
        # Hidden first: a cut through the key would leave a part that is no longer recognised.
        return one_line(self.secret.out_of_message(str(message))) or type(message).__name__


def _rest(pool: Pool, server: Server, error: EndpointError) -> None:
    """Let an endpoint rest, unless the error was about what was asked."""
    if error.kind in _ABOUT_THE_REQUEST:
        return
    pool.failed(server, error, is_down=error.kind == "endpoint_down", wait=error.wait or 0.0)
    if error.again and error.wait is not None:
        server.not_before = max(server.not_before, time.monotonic() + error.wait)


def _read(read: Callable[[dict[str, Any]], _Answer], reply: dict[str, Any]) -> _Answer:
    try:
        return read(reply)
    except BadReplyError as error:
        raise EndpointError(error.kind, str(error)) from None


def _names(answer: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of a list of models."""
    models = answer.get("data")
    models = models if isinstance(models, list) else []
    return frozenset(str(one["id"]) for one in models if isinstance(one, dict) and "id" in one)


def _address(base_url: str, path: str) -> str:
    """Return the address of a path; two slashes begin one below the server's root."""
    return base_url.removesuffix("/v1") + path[1:] if path.startswith("//") else base_url + path


def _tokens_used(answer: Mapping[str, Any]) -> int:
    """Return the tokens that an answer took, as the server counts them."""
    usage, meta = answer.get("usage"), answer.get("meta_info")
    if isinstance(usage, dict):
        counts = [usage.get("total_tokens")]
    elif isinstance(meta, dict):  # SGLang's own route
        counts = [meta.get("prompt_tokens"), meta.get("completion_tokens")]
    else:
        counts = []
    return sum(count for count in counts if type(count) is int)


def _error_of(answer: Mapping[str, Any]) -> Any:
    """Return what an answer with status 200 calls an error, ``None`` when it holds choices."""
    choices = answer.get("choices")
    if isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], dict):
        # A host that passes on what another one failed by writes it beside an empty message.
        return None if choices[0].get("message") else choices[0].get("error")
    if choices:
        return None
    return answer if answer.get("object") == "error" else answer.get("error")  # vLLM's own form


def _status(error: Any) -> int:
    """Return the status that an error names, 200 for none."""
    code = error.get("code") if isinstance(error, dict) else None
    text = str(code) if isinstance(code, int | str) and not isinstance(code, bool) else ""
    return int(text) if re.fullmatch(r"[45][0-9]{2}", text) else int(httpx2.codes.OK)


def retry_after(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header: a number, or a date; ``None`` for none.

    A number too large for one is infinite.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return max(0.0, float(text))
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, (date - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):  # what a parser makes of anything
        return None


def _reason(text: str) -> str:
    """Return what an error's body says."""
    try:
        reply = json.loads(text)
        error = _error_of(reply) or reply.get("error", reply)
        message = error.get("message", error) if isinstance(error, dict) else error
        return str(message)
    except (ValueError, AttributeError, RecursionError):
        return "a web page" if text.lstrip()[:1] == "<" else text or "nothing"


def _is_filtered(text: str) -> bool:
    """Whether an error's body says that a filter took the question, as hosted services write it."""
    try:
        reply = json.loads(text)
        error = _error_of(reply) or reply.get("error", reply)
        details = error.get("metadata")
        flagged = isinstance(details, dict) and "flagged_input" in details
        return flagged or error.get("code") in {FILTERED, "content_policy_violation"}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False


def _refuse_constant(name: str) -> NoReturn:
    raise EndpointError("bad_answer", f"the answer holds {name}, which is no number")


_FIXES = {
    "endpoint_down": "start the server, or check base_url",
    "endpoint_cut": "check that base_url is an HTTP endpoint",
    "timeout": "see whether the server is busy, or raise timeout",
    "not_json": "check base_url: it mostly ends in /v1",
    "bad_answer": "check base_url: it mostly ends in /v1",
}
