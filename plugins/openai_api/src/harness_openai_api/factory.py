"""The model as the harness sees it: who it is without asking it, and a client to ask it with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from harness.descriptors import Json, parse_options
from harness.errors import UserError
from harness.models import Runtime
from harness.plugins import find, plugins
from harness.requests import Choose, Embed, Generate

from harness_openai_api.bodies import SAMPLING
from harness_openai_api.options import NOT_SHOWN, OPTIONS, READ_FROM_TEXT, SCORES
from harness_openai_api.secrets import Secret

if TYPE_CHECKING:
    from harness_openai_api.answerer import EndpointAnswerer

_SCHEME = 3  # raised when the way answers are computed changes their numbers
_SCORED_ALIKE = 4  # of options whose scores once depended on how a server samples
_KEY = "OPENAI_API_KEY"
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104  compared, not bound
_LEAST = {
    "concurrency": 1,
    "timeout": 0.001,
    "retries": 0,
    "temperature": 0,
    "budget_requests": 1,
    "budget_tokens": 1,
}
_OURS = (
    "model", "messages", "stream", "n", "prompt_logprobs", "logprobs", "top_logprobs", "echo",
    "add_generation_prompt", "continue_final_message", "max_tokens", "max_completion_tokens",
    "stop", "seed", "temperature", "logprob_token_ids", "allowed_token_ids",
    "return_tokens_as_token_ids",
)  # fmt: skip
"""Fields whose answers the harness reads, or that a task or a sample decides."""


class Endpoint:
    """A model served by an endpoint, before any request.

    Args:
        options: Parsed options of the descriptor.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options: dict[str, Any] = parse_options(OPTIONS, options, owner="model 'openai_api'")
        if not self._options.get("model"):
            raise UserError(
                "openai_api needs the name under which the endpoint serves the model",
                fix="-o model=NAME",
            )
        for name, least in _LEAST.items():
            value: Any = self._options.get(name)
            if value is not None and not value >= least:
                raise UserError(f"{value} is less than {least}", where=f"option {name!r}")
        self._urls = _split_all(str(self._options["base_url"]))
        most: Any = self._options.get("max_concurrency")
        start: Any = self._options["concurrency"]
        if most is not None and most < start:
            raise UserError(
                f"{most} is less than concurrency {start}",
                where="option 'max_concurrency'",
                fix=f"-o concurrency={most}",
            )
        self._extra = _extra(self._options.get("extra_body"))
        self._refuse_key()

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything known that can change the numbers; see the model contract.

        The endpoint's weights are not known: the model's name has to stand for them.
        """
        del runtime
        in_words = self._options["scores"] == "label"
        return {
            # The harness reads which option a text names: another reader may read another one.
            **(
                {"label reader": find("extractor", "label", plugins().extractors()).version}
                if in_words
                else {}
            ),
            "model": "openai_api",
            "scheme": _SCORED_ALIKE if self._samples else _SCHEME,
            "name": str(self._options["model"]),
            "endpoint": ",".join(sorted(map(_server, self._urls))),
            "scores": str(self._options["scores"]),
            "image_format": str(self._options["image_format"]),
            "temperature": float(self._options["temperature"]),
            "extra_body": self._extra,
        }

    @property
    def _samples(self) -> bool:
        """Whether it was said how answers are sampled."""
        return bool(self._options["temperature"] or SAMPLING & self._extra.keys())

    def refuses(self, want: Choose | Generate | Embed) -> str:
        """Say that no text names an option which the prompt does not show."""
        scores = str(self._options["scores"])
        if isinstance(want, Choose) and want.match and scores in READ_FROM_TEXT:
            return f"-o scores={scores}: {NOT_SHOWN}"
        return ""

    def unused(self, want: Choose | Generate | Embed) -> list[str]:
        """Return what was said of writing for a task that scores, and of scoring for the others."""
        options, unused = self._options, list[str]()
        if isinstance(want, Generate):
            if options["scores"] != SCORES[0]:
                unused.append("scores (answers are written)")
            if want.temperature and options["temperature"]:
                unused.append(f"temperature (the task's own is {want.temperature:g})")
        elif options["scores"] != "label":
            why = "options are scored by log-probabilities"
            if options["temperature"]:
                unused.append(f"temperature ({why})")
            if sampling := ", ".join(sorted(SAMPLING & self._extra.keys())):
                unused.append(f"extra_body ({sampling}: {why})")
        if options.get("template") and (
            isinstance(want, Generate) or options["scores"] != "generated"
        ):
            unused.append("template (only scores=generated reads it)")
        return unused

    def load(self, runtime: Runtime) -> EndpointAnswerer:
        """Return a client, after seeing that the endpoint is there."""
        del runtime
        from harness_openai_api.answerer import Budget, EndpointAnswerer
        from harness_openai_api.bodies import Bodies
        from harness_openai_api.client import Client, Sending

        options = self._options
        sending = Sending(
            base_urls=tuple(url.geturl().rstrip("/") for url in self._urls),
            key=self._key(),
            concurrency=options["concurrency"],
            max_concurrency=options.get("max_concurrency") or options["concurrency"],
            timeout=options["timeout"],
            retries=options["retries"],
        )
        bodies = Bodies(
            options["model"],
            options["image_format"],
            options["temperature"],
            options["limit_field"],
            self._extra,
            options.get("template"),
        )
        budget = Budget(options.get("budget_requests"), options.get("budget_tokens"))
        at_once = sending.max_concurrency * len(sending.base_urls)
        answerer = EndpointAnswerer(Client(sending), bodies, options["scores"], at_once, budget)
        try:
            answerer.check()
        except BaseException:
            answerer.close()
            raise
        return answerer

    def _refuse_key(self) -> None:
        """Refuse the key in an option: what changes numbers stands in records."""
        secret = Secret(os.environ.get(str(self._options.get("key_env") or _KEY), "").strip())
        for name in ("model", "extra_body", "base_url"):
            if str(self._options.get(name) or "") in secret:
                raise UserError(
                    "contains the API key, and options are written into records",
                    where=f"option {name!r}",
                )

    def _key(self) -> str:
        named = self._options.get("key_env")
        key = os.environ.get(str(named or _KEY), "").strip()
        if named and not key:
            raise UserError(
                f"the environment variable {named!r} holds no key",
                fix=f"export {named}=..., or leave out key_env",
            )
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"the key in {named or _KEY} holds characters that no key has")
        return key


def _split_all(urls: str) -> list[SplitResult]:
    """Return the parts of each of several addresses, separated by commas.

    Raises:
        UserError: one is no address, or comes twice.
    """
    parts: dict[str, SplitResult] = {}
    for url in urls.split(","):
        part = _split(url.strip())
        server = _server(part)
        if server in parts:
            first, second = parts[server].geturl(), part.geturl()
            raise UserError(
                f"{first} and {second} are the same server"
                if first != second
                else f"{first} occurs twice",
                where="option 'base_url'",
                fix="name each server once; -o concurrency=N asks one of them more at once",
            )
        parts[server] = part
    return list(parts.values())


def _server(url: SplitResult) -> str:
    """Return what all spellings of one server have in common, as a record has it."""
    host = "localhost" if url.hostname in _THIS_MACHINE else url.hostname
    usual = 443 if url.scheme == "https" else 80
    port = "" if url.port in {None, usual} else f":{url.port}"
    return f"{host}{port}{url.path.rstrip('/')}"


def _split(url: str) -> SplitResult:
    """Return the parts of an address that may stand in a record: no user, no key.

    Raises:
        UserError: for another address.
    """
    where = "option 'base_url'"
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:  # what it says is not repeated: there may be a password in it
        raise UserError(
            "this is not an address", where=where, fix="http://HOST:PORT/v1, or https://"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            "an address must not contain a user, password or query: it is written into records",
            where=where,
            fix=f"put the key into the environment ({_KEY}, or what key_env names)",
        )
    return parts


def _extra(text: Any) -> dict[str, Any]:
    where = "option 'extra_body'"
    try:
        fields = json.loads(text) if text else {}
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where=where) from None
    if not isinstance(fields, dict):
        raise UserError("not a JSON object", where=where)
    for name in _OURS:
        if name in fields:
            raise UserError(
                f"{name!r} is set by the harness", where=where, fix=f"leave {name!r} out"
            )
    return fields
