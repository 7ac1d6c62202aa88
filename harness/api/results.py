"""What a run left, as a notebook shows it: figures, and samples with their images on demand."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol

from harness.api.plugin_functions import function
from harness.arguments import Within, plain
from harness.config.settings import Settings, load_settings
from harness.evaluation.run import RunResult as Outcome
from harness.runs.seal import write_whole

Which = Literal["all", "wrong", "right", "errors"]


class Gallery(Protocol):
    """Samples of evaluations, as cards of HTML."""

    def _repr_html_(self) -> str: ...


@dataclass(frozen=True, slots=True)
class RunResult(Outcome):
    """What a run left, with its figures and samples.

    Attributes:
        settings: Settings of the run: where its data lie.
    """

    settings: Settings | None = field(default=None, repr=False)

    def plot(self, kind: str = "forest", *, metric: str | None = None) -> Drawing:
        """Return a figure of the run, which a notebook shows; no display is needed.

        Args:
            kind: A figure; see ``harness list figures``.
            metric: This metric instead of each task's own.

        Raises:
            PluginError: ``social-harness-figures`` or matplotlib is missing, or the figure breaks
                its contract.
            UserError: the run has nothing that the figure shows.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = function("plot")(kind, Path(folder, "figure.svg"), self.manifests, metric=metric)
            return Drawing(path.read_text(encoding="utf-8"))

    def gallery(
        self, limit: int = 12, *, which: Which = "all", with_images: bool = False
    ) -> Gallery:
        """Return samples with thumbnails, which a notebook shows; images are opened only then.

        Args:
            limit: Show at most this many samples of each evaluation.
            which: All of them, those that were answered wrongly or rightly, or those that errored.
            with_images: Show images of people who are not drawn too; look at the data's licence.

        Raises:
            PluginError: ``social-harness-site`` is not installed.
            UserError: another number or kind.
        """
        limit = plain(Annotated[int, Within(1, 1000)], limit, "limit of gallery()")
        which = plain(Which, which, "which of gallery()")
        gallery: Gallery = function("gallery")(
            self.records, self.settings or load_settings(), limit, which, with_images
        )
        return gallery


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as SVG."""

    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: Path | str) -> Path:
        """Write the SVG into a file."""
        write_whole(Path(path), [self.svg.encode()])
        return Path(path)
