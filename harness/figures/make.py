"""Figures that plugins add, checked against their contract: for a file, and for pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.descriptors import FigureDescriptor, PageKind, is_installed
from harness.errors import PluginError, UserError
from harness.figures.contract import FigureRequest, MakePlot, Plot
from harness.figures.save import figure_bytes
from harness.packages import packaged
from harness.plugins import contract_of, plugins
from harness.targets import load_target

if TYPE_CHECKING:
    from harness.analysis.results import Analysis
    from harness.runs.record import EvaluationRecord
    from harness.tables.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is ready to be drawn."""

    descriptor: FigureDescriptor
    plot: Plot

    @property
    def id(self) -> str:
        """The id of its kind."""
        return self.descriptor.id

    def content(self, ending: str, *, note: str = "", clear: bool = False) -> bytes:
        """Draw it; see :func:`harness.figures.save.figure_bytes`.

        Raises:
            PluginError: the plugin's function fails.
            UserError: figures have no such ending.
        """
        contract = contract_of(self.descriptor)

        def draw(drawn: Any) -> Any:
            figure = self.plot.draw(drawn)
            if not callable(getattr(figure, "savefig", None)):
                raise contract.returned(figure, "draw", "a Figure of matplotlib")
            return figure

        with contract.calling("draw"):
            return figure_bytes(draw, self.plot.shown, ending, note=note, clear=clear)


def make_figure(descriptor: FigureDescriptor, request: FigureRequest) -> Figure:
    """Ask a plugin what its figure shows.

    Raises:
        PluginError: a module that it needs is missing, or it breaks its contract.
        UserError: there is nothing of what it shows.
    """
    make: MakePlot = load_target(descriptor)
    contract = contract_of(descriptor)
    with contract.calling("a call"):
        plot = make(request)
    if not isinstance(plot, Plot):
        raise contract.returned(plot, "a call", "a Plot")
    marks = contract.listed(plot.marks, "a call", str, "marks that are a list of texts")
    if not isinstance(plot.caption, str):
        raise contract.returned(plot.caption, "a call", "a caption that is a text")
    return Figure(descriptor, replace(plot, marks=marks))


def page_figures(page: PageKind, subject: EvaluationRecord | Analysis | Table) -> list[Figure]:
    """Return the figures that a page shows of something; those with nothing to show are left out.

    Raises:
        PluginError: as :func:`make_figure`.
    """
    figures = []
    for descriptor in _of_pages(page):
        # The plugin reads the subject alone, so there are no evaluations to be read.
        request = FigureRequest(descriptor.id, (), lambda *, details=False: [], subject=subject)  # noqa: ARG005
        try:
            figures.append(make_figure(descriptor, request))
        except PluginError:
            raise
        except UserError:  # it has nothing of what the figure shows
            continue
    return figures


def why_no_figures(page: PageKind) -> str:
    """Return why pages of a kind go without figures, with what mends it; empty if they do not."""
    descriptors = _of_pages(page)
    if not descriptors:
        packages = sorted({*packaged("figure").values()})
        for info in plugins().infos:
            if info.distribution in packages and info.status != "loaded":
                return f"{info} draws them, and it is {info.status}: harness plugins"
        return f"no installed plugin draws them: pip install {' '.join(packages)}"
    for descriptor in descriptors:
        for module in descriptor.requires:
            if not is_installed(module):
                return f"they need {module}: {descriptor.install or f'pip install {module}'}"
    return ""


def _of_pages(page: PageKind) -> list[FigureDescriptor]:
    return [figure for figure in plugins().figures().values() if page in figure.pages]
