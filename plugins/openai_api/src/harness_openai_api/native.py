"""Options scored by SGLang's own route: ``/generate`` with ``logprob_start_len``.

The route takes text, not a chat, so the chat template of the checkpoint is applied here. The
server's chat completions say whether it has made the same number of tokens of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.tokenize import PromptError
from harness.errors import UserError
from harness.requests import Scores, Turn

from harness_openai_api.replies import (
    BadReplyError,
    joint_scores,
    prompt_tokens,
    read_input,
)

if TYPE_CHECKING:
    from harness_openai_api.bodies import Bodies
    from harness_openai_api.trie import Post

_AGAIN = 4  # last tokens of the chat that are read with an option: it may merge with them


@dataclass(frozen=True, slots=True)
class Template:
    """A checkpoint's chat template.

    Attributes:
        tokenizer: Renders it, in transformers' sandbox.
        source: The template's text.
        image: The token that stands for an image.
        more: Arguments of the template.
    """

    tokenizer: Any
    source: str
    image: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def render(self, turns: Sequence[Turn], option: str | None) -> str:
        """Return a chat as text, up to where an answer begins or to the end of an option.

        Raises:
            PromptError: when the template refuses the chat, or writes another number of images.
        """
        messages = [
            {
                "role": turn.role,
                "content": [
                    *[{"type": "image"}] * len(turn.images),
                    {"type": "text", "text": self._clean(turn.text)},
                ],
            }
            for turn in turns
        ]
        if option is not None:
            content = [{"type": "text", "text": self._clean(option)}]
            messages.append({"role": "assistant", "content": content})
        try:
            text: str = self.tokenizer.apply_chat_template(
                messages,
                chat_template=self.source,
                tokenize=False,
                add_generation_prompt=option is None,
                continue_final_message=option is not None,
                **self.more,
            )
        except Exception as error:  # noqa: BLE001  a template is a program of the checkpoint's
            raise PromptError("prompt_format", f"the chat template refuses: {error}") from None
        images = sum(len(turn.images) for turn in turns)
        if text.count(self.image) != images:
            raise PromptError(
                "prompt_format",
                f"the chat template writes {self.image!r} {text.count(self.image)} times for "
                f"{images} images",
            )
        return text

    def _clean(self, text: str) -> str:
        return text.replace(self.image, " ")


def load_template(folder: str | None, more: Mapping[str, Any]) -> Template:
    """Return the chat template of a checkpoint.

    Args:
        folder: The checkpoint's.
        more: Arguments of the template.

    Raises:
        UserError: no folder is named, or it holds no tokenizer, template or image token.
    """
    fix = "-o template=FOLDER, a checkpoint's folder with its tokenizer and chat template"
    if not folder:
        raise UserError(
            "SGLang's /generate takes text, so this plugin needs the chat template", fix=fix
        )
    path = Path(folder)
    if not (path / "tokenizer_config.json").is_file():
        raise UserError("no tokenizer_config.json", where=path, fix=fix)
    try:
        from transformers import AutoConfig, AutoTokenizer
    except ImportError:
        raise UserError("transformers is not installed", fix="pip install transformers") from None
    from harness.engine.chats import find_template

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        config = AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"the tokenizer cannot be loaded: {error}", where=path, fix=fix) from None
    source = find_template(path, tokenizer)
    number = getattr(config, "image_token_id", None) or getattr(config, "image_token_index", None)
    if source is None or number is None:
        lacks = "chat template" if source is None else "image token in config.json"
        raise UserError(f"the checkpoint has no {lacks}", where=path, fix=fix)
    return Template(tokenizer, source, str(tokenizer.convert_ids_to_tokens(number)), more)


@dataclass(frozen=True, slots=True)
class GenerateScorer:
    """Scores options by SGLang's ``/generate``.

    Args:
        post: Sends a body to a path; see :meth:`Client.post`.
        bodies: Makes bodies.
        template: Renders chats.
    """

    post: Post
    bodies: Bodies
    template: Template

    async def score(self, turns: Sequence[Turn], options: Sequence[str]) -> Scores:
        """Return the sums of log-probabilities of the options' tokens after a chat.

        Raises:
            BadReplyError: when the server reads another prompt than the chat's.
            PromptError: when the template refuses, or an option adds no token.
        """
        body = self.bodies.first_token(turns, 0)  # the chat is read here, and cached
        wanted: int = await self.post("/chat/completions", body, prompt_tokens)
        start = max(0, wanted - _AGAIN)
        reply = await self._send(turns, None, start, dict)
        if (tokens := prompt_tokens(reply)) != wanted:
            raise BadReplyError(
                "template_differs",
                f"the chat has {wanted} tokens by the server's template and {tokens} by that of "
                "-o template; name the folder of the checkpoint that is served",
            )
        prompt = read_input(reply, start)
        joint = [
            await self._send(turns, option, start, lambda reply: read_input(reply, start))
            for option in options
        ]
        if any(tail[0][0] != prompt[0][0] for tail in joint):
            raise BadReplyError(
                "tokens_merge",
                f"an option changes more than the last {_AGAIN} tokens of the chat; "
                "-o scores=label does without",
            )
        return joint_scores(prompt, joint, options)

    async def _send(
        self,
        turns: Sequence[Turn],
        option: str | None,
        start: int,
        read: Callable[[dict[str, Any]], Any],
    ) -> Any:
        text = self.template.render(turns, option)
        return await self.post("//generate", self.bodies.generate(turns, text, start), read)
