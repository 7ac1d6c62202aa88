"""What makes a SocialFusion model: its parts, sizes and formats. Light: no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError, unknown

from harness_socialfusion.formats import FORMATS
from harness_socialfusion.options import CONNECTORS
from harness_socialfusion.sources import read_json

CONFIG = "socialfusion.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A frozen part: its name, the hub's revision, and the hash it had at training time."""

    id: str
    revision: str | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSettings:
    """Shape of the connector.

    Attributes:
        kind: ``linear``, ``mlp`` or ``attention``.
        layers: Linear layers of an ``mlp``, blocks of an ``attention`` connector.
        hidden: Inner width; ``None`` is the language model's.
        merge: Neighbouring k x k patch tokens become one.
        queries: Image tokens of an ``attention`` connector.
    """

    kind: str = "mlp"
    layers: int = 2
    hidden: int | None = None
    merge: int = 1
    queries: int = 64

    def __post_init__(self) -> None:
        if self.kind not in CONNECTORS:
            raise unknown("connector", self.kind, CONNECTORS)
        for name in ("layers", "merge", "queries"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UserError(f"connector {name} must be a whole number above 0, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Adapters on the language model, for training."""

    rank: int = 16
    alpha: int = 32
    targets: str = "all-linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionSettings:
    """Everything a saved model's ``socialfusion.json`` holds.

    Attributes:
        encoder_layer: Block of the encoder whose patch tokens are used; -1 is the last.
        encoder_norm: Whether the encoder's final norm is applied to them.
        prompt_format: Name of the format that turns become text with.
        dtype: dtype to compute with unless the user asks for another; ``None`` is the
            language model's own.
        image_tokens: Positions an image takes; set when a model is saved.
        adapter: Whether adapters were saved too; ``None`` in files that do not say.
    """

    encoder: Part
    language_model: Part
    encoder_layer: int = -1
    encoder_norm: bool = True
    connector: ConnectorSettings = field(default_factory=ConnectorSettings)
    prompt_format: str = "plain"
    dtype: str | None = None
    image_tokens: int | None = None
    adapter: bool | None = None

    def __post_init__(self) -> None:
        if self.prompt_format not in FORMATS:
            raise unknown("prompt format", self.prompt_format, FORMATS)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as the configuration file holds them."""
        return {"format": FORMAT, **asdict(self)}


def read_settings(folder: Path) -> FusionSettings:
    """Return the settings of a saved model.

    Raises:
        UserError: when the folder is not a saved SocialFusion model.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise UserError(
            f"this is not a SocialFusion checkpoint: it has no {CONFIG}",
            where=folder,
            fix="give the folder that training saved",
        )
    fields = read_json(path)
    version = fields.pop("format", None)
    if version != FORMAT:
        raise UserError(
            f"its format is {version!r}, and this plugin reads {FORMAT}",
            where=path,
            fix="use the plugin version that wrote it",
        )
    try:
        fields["encoder"] = Part(**fields["encoder"])
        fields["language_model"] = Part(**fields["language_model"])
        fields["connector"] = ConnectorSettings(**fields["connector"])
        return FusionSettings(**fields)
    except (KeyError, TypeError) as error:
        raise UserError(f"not a SocialFusion configuration: {error}", where=path) from None


def settings_of(options: Mapping[str, Any]) -> FusionSettings:
    """Return the settings that parsed options name (without ``path``)."""
    for name in ("encoder", "language_model"):
        if not options.get(name):
            raise UserError(
                f"socialfusion needs a saved model, or its parts: {name!r} is not given",
                fix="-o preset=demo, -o path=FOLDER, or -o encoder=... -o language_model=...",
            )
    return FusionSettings(
        encoder=Part(id=options["encoder"], revision=options.get("encoder_revision")),
        language_model=Part(
            id=options["language_model"], revision=options.get("language_model_revision")
        ),
        encoder_layer=options["encoder_layer"],
        encoder_norm=options["encoder_norm"],
        connector=ConnectorSettings(
            kind=options["connector"],
            layers=options["connector_layers"],
            hidden=options.get("hidden"),
            merge=options["merge"],
            queries=options["queries"],
        ),
        **({"prompt_format": form} if (form := options["prompt_format"]) else {}),
        dtype=options.get("weights"),
    )


def as_plain(value: object) -> Json:
    """Return settings as plain data."""
    plain: Json = asdict(value)  # type: ignore[call-overload]
    return plain
