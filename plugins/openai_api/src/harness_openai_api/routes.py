"""What a server says that it can do, as its OpenAPI document tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import UserError

_OTHERS = "-o scores=prompt_logprobs, first_token or label does without"


@dataclass(frozen=True, slots=True)
class Route:
    """How a server scores options with the cache of their prompt.

    Attributes:
        name: ``trie`` walks the trie of the options' tokens by chat completions that continue an
            answer (vLLM); ``generate`` is SGLang's own route with ``logprob_start_len``.
        by_ids: Whether one request gives all tokens that follow a node of the trie
            (``logprob_token_ids``); otherwise each token takes one (``allowed_token_ids``).
    """

    name: Literal["trie", "generate"]
    by_ids: bool = False

    def __str__(self) -> str:
        if self.name == "generate":
            return "by /generate with logprob_start_len"
        field = "logprob_token_ids" if self.by_ids else "allowed_token_ids"
        return f"by generated tokens, walking their trie with {field}"


def route_of(documents: Sequence[tuple[str, Mapping[str, Any] | None]]) -> Route:
    """Return the route that all servers of a model offer.

    Args:
        documents: Each server's address and OpenAPI document; ``None`` where it gives none.

    Raises:
        UserError: one gives no document or offers no route, or servers offer different ones.
    """
    routes = {url: _route(url, document) for url, document in documents}
    if len(set(routes.values())) > 1:
        parts = "; ".join(f"{url} {route}" for url, route in routes.items())
        raise UserError(
            f"the servers score options in different ways: {parts}",
            where="option 'base_url'",
            fix="name servers of one kind and version",
        )
    return next(iter(routes.values()))


def _route(url: str, document: Mapping[str, Any] | None) -> Route:
    if document is None:
        raise UserError(
            "the server does not say what it can do: it gives no /openapi.json",
            where=url,
            fix=f"start vLLM without --disable-fastapi-docs; {_OTHERS}",
        )
    paths = document.get("paths")
    paths = paths if isinstance(paths, dict) else {}
    if "/generate" in paths and "logprob_start_len" in _fields(document, "GenerateReqInput"):
        return Route("generate")
    fields = _fields(document, "ChatCompletionRequest")
    forced = {"logprob_token_ids", "allowed_token_ids"} & fields
    if "/tokenize" in paths and "continue_final_message" in fields and forced:
        return Route("trie", "logprob_token_ids" in forced)
    raise UserError(
        "the server offers no way to score options with its prefix cache: neither /tokenize with "
        "allowed_token_ids (vLLM) nor /generate with logprob_start_len (SGLang)",
        where=url,
        fix=_OTHERS,
    )


def _fields(document: Mapping[str, Any], name: str) -> set[str]:
    """Return the names of the fields of a request."""
    node: Any = document
    for key in ("components", "schemas", name, "properties"):
        node = node.get(key) if isinstance(node, dict) else None
    return set(node) if isinstance(node, dict) else set()
