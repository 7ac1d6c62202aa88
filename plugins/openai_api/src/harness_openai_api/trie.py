"""Options scored by generated tokens: the trie of their tokens, walked a node at a time.

The chat is one prompt in every request, so a server that caches prefixes reads it once, where
log-probabilities of the prompt itself are computed without that cache. A node that no beginning of
an option's text reaches (a space that is a token of its own) cannot be continued in a chat: such
options are scored with the whole prompt.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from harness.engine.tokenize import Ids, common_length, require_text
from harness.errors import short
from harness.requests import Scores, Turn

from harness_openai_api.bodies import Bodies
from harness_openai_api.replies import BadReplyError, read_ids, read_next, read_prompt

Post = Callable[[str, Mapping[str, Any], Callable[[dict[str, Any]], Any]], Awaitable[Any]]

_KEPT = 4096  # questions whose options' tokens are kept
_MORE_THAN_ALL = 1e-3  # by which probabilities may exceed 1: servers round
_PROMPTED = "-o scores=prompt_logprobs does without"


@dataclass(frozen=True, slots=True)
class Trie:
    """Tokens of a question's options.

    Attributes:
        tails: Each option's ids after the chat.
        texts: Text of the answer so far by node, which the server tokenises to the node's ids; a
            node stands after the one that it continues.
    """

    tails: tuple[Ids, ...]
    texts: Mapping[Ids, str]

    def walked(self, tail: Ids) -> bool:
        """Whether every node of an option is reached."""
        return all(tail[:size] in self.texts for size in range(len(tail)))

    def children(self, node: Ids) -> tuple[int, ...]:
        """Return the ids that follow a node in options that are walked, each once."""
        size = len(node)
        follow = (
            tail[size]
            for tail in self.tails
            if len(tail) > size and tail[:size] == node and self.walked(tail)
        )
        return tuple(dict.fromkeys(follow))


@dataclass(slots=True)
class TrieScorer:
    """Scores options by walking their trie.

    Args:
        post: Sends a body to a path; see :meth:`Client.post`.
        bodies: Makes bodies.
        by_ids: Whether one request gives all tokens that follow a node.
    """

    post: Post
    bodies: Bodies
    by_ids: bool
    _tries: dict[Any, Trie] = field(default_factory=dict)
    _told: bool = False  # that options are scored with the whole prompt

    async def score(self, turns: Sequence[Turn], options: Sequence[str]) -> Scores:
        """Return the sums of log-probabilities of the options' tokens after a chat.

        Raises:
            BadReplyError: when the server's tokens or log-probabilities do not allow it.
            PromptError: when an option adds no token.
        """
        trie = await self._trie(turns, options)
        values: dict[Ids, float] = {(): 0.0}
        for node, text in trie.texts.items():
            children = trie.children(node)
            logprobs = await self._children(turns, text, children) if children else []
            for child, logprob in zip(children, logprobs, strict=True):
                values[(*node, child)] = values[node] + logprob
        for tail, option in zip(trie.tails, options, strict=True):
            if tail not in values:
                values[tail] = await self._with_prompt(turns, option, tail)
        return Scores(
            "logprob",
            tuple(values[tail] for tail in trie.tails),
            tuple(len(tail) for tail in trie.tails),
            tuple(len(option.encode()) for option in options),
        )

    async def _children(
        self, turns: Sequence[Turn], text: str, children: tuple[int, ...]
    ) -> list[float]:
        """Return the log-probabilities of the ids that follow a node."""
        if self.by_ids:
            body = self.bodies.next_token(turns, text, {"logprob_token_ids": list(children)})
            table = await self.post("/chat/completions", body, read_next)
            missing = [child for child in children if child not in table]
            if missing:
                raise BadReplyError(
                    "no_logprobs", f"the server gives no log-probability of token {missing[0]}"
                )
            logprobs = [table[child] for child in children]
        else:
            logprobs = []
            for child in children:
                body = self.bodies.next_token(turns, text, {"allowed_token_ids": [child]})
                table = await self.post("/chat/completions", body, read_next)
                if child not in table:
                    raise BadReplyError(
                        "bad_answer",
                        f"the server generated another token than {child}, the one allowed",
                    )
                logprobs.append(table[child])
        total = math.fsum(map(math.exp, logprobs))
        # A token forced by a mask has probability 1 where the mask comes before the softmax.
        if total > 1 + _MORE_THAN_ALL or (not self.by_ids and not any(logprobs)):
            raise BadReplyError(
                "bad_answer",
                "the server gives log-probabilities after its masks; start it with "
                f"--logprobs-mode raw_logprobs, or {_PROMPTED}",
            )
        return logprobs

    async def _with_prompt(self, turns: Sequence[Turn], option: str, tail: Ids) -> float:
        """Return an option's sum as log-probabilities of the prompt give it."""
        body = self.bodies.prompt_logprobs(turns, option)
        tokens = (await self.post("/chat/completions", body, read_prompt))[-len(tail) :]
        if tuple(token for token, _ in tokens) != tuple(map(str, tail)):
            raise BadReplyError("bad_answer", "/tokenize gives other tokens than the model reads")
        return math.fsum(logprob for _, logprob in tokens)

    async def _trie(self, turns: Sequence[Turn], options: Sequence[str]) -> Trie:
        """Return the trie of a question's options; images do not enter what follows the chat."""
        key = (tuple((turn.role, turn.text, len(turn.images)) for turn in turns), tuple(options))
        if key not in self._tries:
            if len(self._tries) >= _KEPT:
                self._tries.pop(next(iter(self._tries)))
            self._tries[key] = await self._tokenized(turns, options)
        return self._tries[key]

    async def _tokenized(self, turns: Sequence[Turn], options: Sequence[str]) -> Trie:
        prompt = await self._ids(turns, None)
        joint = [await self._ids(turns, option) for option in options]
        cut = min(common_length(prompt, ids) for ids in joint)
        tails = tuple(ids[cut:] for ids in joint)
        require_text(options, tails)
        texts: dict[Ids, str] = {}
        # Where an option changes the chat's own last token, no answer begins at the root.
        for tail, option in zip(tails, options, strict=True) if cut == len(prompt) else ():
            for size in range(len(tail)):
                node = tail[:size]
                text = texts.get(node) if node else ""
                text = await self._text(turns, prompt, node, option) if text is None else text
                if text is None:
                    break
                texts[node] = text
        trie = Trie(tails, dict(sorted(texts.items(), key=lambda item: len(item[0]))))
        lost = [
            option for tail, option in zip(tails, options, strict=True) if not trie.walked(tail)
        ]
        if lost and not self._told:
            self._told = True
            more = f" and {len(lost) - 1} more" if lost[1:] else ""
            print(
                f"openai_api: scored with the whole prompt: {short(repr(lost[0]), 40)}{more} (no "
                "text ends between its tokens); other questions may have such options too",
                file=sys.stderr,
                flush=True,
            )
        return trie

    async def _text(self, turns: Sequence[Turn], prompt: Ids, node: Ids, option: str) -> str | None:
        """Return the part of an option's text that the server tokenises to a node's ids, if any."""
        body = {"model": self.bodies.model, "tokens": list(node)}
        reply = await self.post("//detokenize", body, dict)
        written = str(reply.get("prompt", reply.get("text", ""))).strip()
        lead = len(list(takewhile(str.isspace, option)))
        guess = lead + len(written)
        # A token may hold the space after a word, or a part of a character.
        for size in (guess, guess + 1, guess - 1):
            text = option[:size]
            if 0 < size < len(option) and await self._ids(turns, text) == (*prompt, *node):
                return text
        return None

    async def _ids(self, turns: Sequence[Turn], answer: str | None) -> Ids:
        """Return the ids of a chat, images not unfolded, with the beginning of an answer."""
        ids: Ids = await self.post("//tokenize", self.bodies.tokens(turns, answer), read_ids)
        return ids
