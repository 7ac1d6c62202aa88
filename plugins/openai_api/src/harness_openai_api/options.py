"""What ``-o`` accepts. Light: no HTTP client."""

from __future__ import annotations

from harness.descriptors import Option

SCORES = ("prompt_logprobs", "generated", "first_token", "label")
READ_FROM_TEXT = {"label", "first_token"}
NOT_SHOWN = (
    "the options are whole texts that the prompt does not show, so no answer can name one; "
    "prompt_logprobs and generated score them"
)

OPTIONS: tuple[Option, ...] = (
    Option(name="model", help="The model's name as the endpoint knows it."),
    Option(
        name="base_url",
        default="http://localhost:8000/v1",
        help="The endpoint, up to and with /v1, or several that serve the model, separated by "
        "commas; hosts and paths are part of the identity.",
        changes_numbers=False,
    ),
    Option(
        name="scores",
        default="prompt_logprobs",
        choices=SCORES,
        help="How options are scored: see docs/models/openai_api.md.",
    ),
    Option(
        name="template",
        help="Folder with the served checkpoint's tokenizer and chat template; SGLang's scores="
        "generated needs it.",
        changes_numbers=False,
    ),
    Option(
        name="image_format",
        default="png",
        choices=("png", "jpeg"),
        help="How images are sent; png loses nothing, jpeg (quality 95) is smaller.",
    ),
    Option(
        name="temperature",
        type="float",
        default=0.0,
        least=0,
        most=100,
        help="Sampling temperature of written answers where a task names none; 0 is greedy.",
    ),
    Option(
        name="extra_body",
        help='JSON object added to every request, such as {"top_p": 0.9}; fields of sampling only '
        "where an answer is written.",
    ),
    Option(
        name="limit_field",
        default="max_tokens",
        choices=("max_tokens", "max_completion_tokens"),
        help="Name of the field that limits an answer's tokens.",
        changes_numbers=False,
    ),
    Option(
        name="key_env",
        help="Environment variable that holds the key; unset: OPENAI_API_KEY, if it is there.",
        changes_numbers=False,
    ),
    Option(
        name="concurrency",
        type="int",
        default=8,
        least=1,
        most=10_000,
        help="Requests under way at once, at each endpoint.",
        changes_numbers=False,
    ),
    Option(
        name="max_concurrency",
        type="int",
        least=1,
        most=10_000,
        help="Let concurrency grow up to this while more requests are answered a second, and fall "
        "with errors; unset: it is fixed.",
        changes_numbers=False,
    ),
    Option(
        name="timeout",
        type="float",
        default=120.0,
        least=0.001,
        most=1_000_000,
        help="Seconds that a request may take.",
        changes_numbers=False,
    ),
    Option(
        name="retries",
        type="int",
        default=5,
        least=0,
        most=1_000,
        help="Further tries of a request after 429, 5xx, a timeout or a broken connection.",
        changes_numbers=False,
    ),
    Option(
        name="budget_requests",
        type="int",
        least=1,
        help="Requests to send at most; unset: no limit.",
        changes_numbers=False,
    ),
    Option(
        name="budget_tokens",
        type="int",
        least=1,
        help="Tokens to spend, prompts and answers as the endpoint counts them; unset: no limit.",
        changes_numbers=False,
    ),
)
