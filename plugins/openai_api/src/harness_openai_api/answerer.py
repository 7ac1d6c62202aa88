"""Answers blocks of requests through an endpoint."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal
from harness.engine.tokenize import PromptError, require_text
from harness.errors import HarnessError, one_line
from harness.requests import Choose, Failed, Generate, Request, Response, Scores, Text

from harness_openai_api.bodies import Bodies
from harness_openai_api.client import Client, EndpointError
from harness_openai_api.native import GenerateScorer, load_template
from harness_openai_api.options import NOT_SHOWN, READ_FROM_TEXT
from harness_openai_api.replies import (
    FILTERED,
    BadReplyError,
    first_token_scores,
    joint_scores,
    read_first,
    read_prompt,
    read_refusal,
    read_text,
)
from harness_openai_api.routes import route_of
from harness_openai_api.trie import TrieScorer

_LABEL_TOKENS = 32  # an option's name and a few words around it
_TOP = 20  # the most that the API gives
# What a whole block fails by when the endpoint is gone, and when it may be.
_GONE = {"endpoint_down", "rate_limited"}
_ERRORS = _GONE | {
    "server_error", "timeout", "endpoint_cut", "not_json", "bad_answer", "refused", "no_logprobs",
}  # fmt: skip
_BACK = "when it is back, the same command continues where this one stopped"
_NAME, _MOST_NAMES = 80, 3  # characters of a model's name, and names, in a message
_MOST_BLOCKS = 2  # in which nothing but errors came

_Read = TypeVar("_Read")
Result = Scores | Text | Failed


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent; ``None`` is no limit."""

    requests: int | None = None
    tokens: int | None = None


class EndpointAnswerer:
    """An endpoint as the harness asks it; see :class:`harness.models.Answerer`.

    Args:
        client: Sends requests.
        bodies: Makes them.
        scores: How options are scored.
        concurrency: Requests of the harness under way at once.
        budget: Looked at before each block, so that nothing paid for is lost.
    """

    def __init__(
        self, client: Client, bodies: Bodies, scores: str, concurrency: int, budget: Budget
    ) -> None:
        self._client, self._bodies, self._scores = client, bodies, scores
        self._scorer: TrieScorer | GenerateScorer | None = None
        self._concurrency, self._budget = concurrency, budget
        self._errors = self._blocks_lost = 0  # in a row
        self._others: set[str] = set()  # names of models that answered
        self._portal: BlockingPortal | None = None
        self._held = ExitStack()

    def check(self) -> None:
        """See whether the endpoint is there.

        Raises:
            UserError: it is down, no API, refuses the key, or offers no way to score options.
        """
        self._open().call(self._client.check, self._bodies.model)
        if self._scores == "generated":
            route = route_of(self._open().call(self._client.documents))
            print(f"openai_api: options are scored {route}", file=sys.stderr, flush=True)
            if route.name == "trie":
                self._scorer = TrieScorer(self._client.post, self._bodies, route.by_ids)
            else:
                self._bodies.refuse_fields()
                more = self._bodies.extra.get("chat_template_kwargs") or {}
                template = load_template(self._bodies.template, more)
                self._scorer = GenerateScorer(self._client.post, self._bodies, template)

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer one block of requests; see the model contract.

        Raises:
            HarnessError: the budget does not reach for the block, or the endpoint is gone: down for
                a block, or nothing but errors for two.
            UserError: the endpoint refuses the key.
        """
        self._spend(requests)
        task = self._open().start_task_soon(self._all, list(requests))
        try:
            results = task.result()
        except BaseException as error:
            task.cancel()
            self.close()  # otherwise its thread would keep the interrupted command alive
            if isinstance(error, CancelledError):
                raise KeyboardInterrupt from None
            raise
        self._stop_when_gone(results)
        return [
            Response(request.id, result) for request, result in zip(requests, results, strict=True)
        ]

    def _stop_when_gone(self, results: Sequence[Result]) -> None:
        """End the task when whole blocks fail by the endpoint, before all of it is spent.

        Raises:
            HarnessError: a block by an endpoint that is down, or the second in a row by errors.
        """
        kinds = [one.kind if isinstance(one, Failed) else "" for one in results]
        if not results or not _ERRORS.issuperset(kinds):
            self._errors = self._blocks_lost = 0
            return
        self._errors += len(results)
        self._blocks_lost += 1
        problem = next(one.message for one in results if isinstance(one, Failed))
        if _GONE.issuperset(kinds):
            raise HarnessError(f"the endpoint answered no request of a block: {problem}", fix=_BACK)
        if self._blocks_lost >= _MOST_BLOCKS:
            raise HarnessError(
                f"the endpoint returned only errors for {self._blocks_lost} blocks, "
                f"{self._errors} requests: {problem}",
                fix=f"{_BACK}; --retry-errors repeats the requests that failed",
            )

    def notes(self) -> list[str]:
        """Return under which other names the endpoint answered."""
        return [
            f"asked for {self._bodies.model!r}, the endpoint says that {name!r} answered"
            for name in sorted(self._others)[:_MOST_NAMES]
        ]

    def close(self) -> None:
        """Close every connection."""
        portal, self._portal = self._portal, None
        if portal is not None:
            portal.call(self._client.close)
            self._held.close()

    def _open(self) -> BlockingPortal:
        # A thread of its own: notebooks run an event loop in the main one.
        if self._portal is None:
            self._portal = self._held.enter_context(start_blocking_portal("asyncio"))
        return self._portal

    def _spend(self, requests: Sequence[Request]) -> None:
        """Refuse a block that the budget does not reach for."""
        needed = sum(self._cost(request) for request in requests)
        sent, used = self._client.requests, self._client.tokens
        limit, tokens = self._budget.requests, self._budget.tokens
        if limit is not None and sent + needed > limit:
            reason = (
                f"the budget is {limit} requests; {sent} are sent, the next block needs {needed}"
            )
        elif tokens is not None and used >= tokens:
            reason = f"the budget is {tokens} tokens; {used} are used"
        else:
            return
        raise HarnessError(
            reason,
            fix="finished answers are kept; run the same command with a larger budget to continue",
        )

    def _cost(self, request: Request) -> int:
        if isinstance(request.want, Choose) and self._scores in {"prompt_logprobs", "generated"}:
            return 1 + len(request.want.options)
        return 1

    async def _all(self, requests: Sequence[Request]) -> list[Result]:
        room = asyncio.Semaphore(self._concurrency)  # bodies hold images: few at a time

        async def one(request: Request) -> Result:
            async with room:
                return await self._one(request)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(request)) for request in requests]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, request: Request) -> Result:
        """Return the answer to a request, without the key wherever a server repeats it."""
        result, secret = await self._answer(request), self._client.secret
        if isinstance(result, Failed):
            return Failed(result.kind, secret.out_of_message(result.message))
        if isinstance(result, Text):
            return replace(
                result,
                text=secret.out_of_answer(result.text),
                reasoning=secret.out_of_answer(result.reasoning),
            )
        return result

    async def _answer(self, request: Request) -> Result:
        want = request.want
        try:
            if isinstance(want, Generate):
                return await self._write(request, want)
            if isinstance(want, Choose):
                require_text(want.options)
                if want.match and self._scores in READ_FROM_TEXT:
                    return Failed("unsupported", f"-o scores={self._scores}: {NOT_SHOWN}")
                return await self._choose(request, want.options)
        except (EndpointError, BadReplyError, PromptError) as error:
            if error.kind == FILTERED:  # the service would not answer: wrong, and counted
                return Text(str(error), refused=True)
            return Failed(error.kind, str(error))
        return Failed("unsupported", "an endpoint chooses and generates; it gives no vectors")

    async def _write(self, request: Request, want: Generate) -> Text:
        body = self._bodies.answer(request.turns, want, request.seed, request.reasoning)
        return await self._ask(body, lambda reply: read_text(reply, want.stop, request.reasoning))

    async def _choose(self, request: Request, options: tuple[str, ...]) -> Scores | Text:
        turns = request.turns
        if self._scores == "label":  # the harness reads which option the text names
            return await self._write(request, Generate(_LABEL_TOKENS))
        if self._scores == "first_token":
            body = self._bodies.first_token(turns, _TOP)
            first = await self._ask(body, lambda reply: read_refusal(reply) or read_first(reply))
            return first if isinstance(first, Text) else first_token_scores(first, options)
        if self._scorer is not None:
            return await self._scorer.score(turns, options)
        # The chat alone goes first: a server that gives no such numbers is asked once, not often.
        prompt = await self._ask(self._bodies.prompt_logprobs(turns, None), read_prompt)
        with_options = [
            await self._ask(self._bodies.prompt_logprobs(turns, option), read_prompt)
            for option in options
        ]
        return joint_scores(prompt, with_options, options)

    async def _ask(self, body: dict[str, object], read: Callable[[dict[str, Any]], _Read]) -> _Read:
        def read_named(reply: dict[str, Any]) -> _Read:
            answer, name = read(reply), reply.get("model")
            if isinstance(name, str) and name and name != self._bodies.model:
                self._others.add(self._client.secret.out_of_message(one_line(name, _NAME)))
            return answer

        return await self._client.post("/chat/completions", body, read_named)
