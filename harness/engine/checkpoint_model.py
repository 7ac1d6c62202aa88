"""A released checkpoint as the harness sees it: a light identity first, weights when asked for.

Importing this loads no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.descriptors import Json, Option, parse_options
from harness.engine.checkpoints import (
    Checkpoint,
    has_weights,
    open_checkpoint,
    require_family,
    weight_files,
)
from harness.engine.loading import loading_identity, require_packages, unused_in, with_features
from harness.engine.memory import weight_bytes
from harness.engine.weights import user_cache
from harness.errors import UserError
from harness.models import Runtime
from harness.models.devices import resolve_dtype
from harness.requests import Choose, Embed, Generate

if TYPE_CHECKING:
    from harness.engine.answerer import EngineAnswerer
    from harness.engine.contract import VisionLanguageModel

_OF_FEATURES = frozenset(
    {"model", "scheme", "checkpoint", "tower", "dtype", "attention", "adapter_sha256"}
    | {"image_aspect", "min_pixels", "max_pixels"}
)


class ReleasedModel(ABC):
    """A checkpoint that is known but not loaded; a plugin says how it is loaded.

    Attributes:
        id: The model's, which is also the family of its checkpoints.
        example: A preset, for the message when no checkpoint is given.
        scheme: Raised when the way answers are computed changes their numbers.
        descriptor_options: The descriptor's options; their defaults serve a model made by hand too.
        identity_options: Options that stand in the identity as they are.

    Args:
        options: Parsed options of the descriptor; :data:`.loading.CHECKPOINT` are among them.
    """

    id: ClassVar[str]
    example: ClassVar[str]
    scheme: ClassVar[int] = 1
    descriptor_options: ClassVar[tuple[Option, ...]] = ()
    identity_options: ClassVar[tuple[str, ...]] = ("context", "score_eos")

    def __init__(self, options: Mapping[str, Json]) -> None:
        option_table = self.descriptor_options
        self.options: dict[str, Any] = (
            parse_options(option_table, options, owner=f"model {self.id!r}")
            if option_table
            else dict(options)
        )

    def identity(self, runtime: Runtime) -> dict[str, Json]:
        """Return everything that can change the numbers; see the model contract."""
        memo = runtime.cache or user_cache()
        source = self.open()
        return {
            "model": self.id,
            "scheme": self.scheme,
            "checkpoint": source.identity(memo),
            "dtype": resolve_dtype(runtime.dtype, source.dtype),
            **loading_identity(self.options, memo, source.folder),
            **{name: self.options.get(name) for name in self.identity_options},
            **self.about(source, memo),
        }

    def about(self, source: Checkpoint, memo: Path) -> dict[str, Json]:
        """Return what else can change the numbers.

        Args:
            source: The checkpoint.
            memo: Folder that remembers hashes of weight files.
        """
        del source, memo
        return {}

    def towers(self, source: Checkpoint) -> tuple[Checkpoint, ...]:
        """Return the checkpoints that vision towers come from, where the model's own has none."""
        del source
        return ()

    def unused(self, want: Choose | Generate | Embed) -> list[str]:
        """See :class:`harness.models.contract.TellsUnused`."""
        return unused_in(self.options, want)

    def weight_bytes(self, runtime: Runtime, *, fetch: bool = False) -> int | None:
        """Return the bytes of the loaded weights; see :class:`harness.models.contract.HasWeights`.

        Args:
            runtime: Says the dtype.
            fetch: Fetch a hub's weights; without, nobody knows how much they take.
        """
        require_packages(self.options)
        source = self.open()
        towers = self.towers(source)
        if not fetch and not all(has_weights(checkpoint) for checkpoint in (source, *towers)):
            return None
        dtype = resolve_dtype(runtime.dtype, source.dtype)
        quantise = str(self.options.get("quantise") or "none")
        loaded_bytes = weight_bytes(
            weight_files(source), dtype, stored=source.dtype, quantise=quantise
        )
        return loaded_bytes + sum(
            weight_bytes(weight_files(tower), dtype, stored=tower.dtype, text_side=False)
            for tower in towers
        )

    def load(self, runtime: Runtime) -> EngineAnswerer:
        """Load the weights."""
        from harness.engine.answerer import EngineAnswerer

        return EngineAnswerer(self.load_model(runtime), with_features(self.options, runtime))

    @abstractmethod
    def load_model(self, runtime: Runtime) -> VisionLanguageModel:
        """Return the model as the engine takes it, on its device."""

    def load_tower(self, runtime: Runtime) -> tuple[Any, Callable[[Sequence[Any]], object]]:
        """Return the vision tower, and what runs it on images."""
        return self.load_model(runtime).vision_tower()

    def open(self) -> Checkpoint:
        """Return the checkpoint.

        Raises:
            UserError: when none is given, or it is not there or not of this family.
        """
        path = self.options.get("path")
        if not path:
            raise UserError(
                f"{self.id} needs a checkpoint to load",
                fix=f"-o path=FOLDER or HUB_ID, or -o preset={self.example}",
            )
        source = open_checkpoint(str(path), revision=self.options.get("revision"))
        require_family(source, self.id)
        return source


def of_features(identity: Mapping[str, Json]) -> dict[str, Json]:
    """Return what of an identity an image's features depend on."""
    return {name: value for name, value in identity.items() if name in _OF_FEATURES}
