"""Tasks of a table by what is installed: groups, their order, and who can answer what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UserError, each_once, near, unknown
from harness.plugins import plugins
from harness.runs.record import EvaluationRecord

if TYPE_CHECKING:
    from harness.specs.catalog import Catalog
    from harness.tables.layout import Layout


class InstalledTasks:
    """The task specs that are installed, read when something is asked of them."""

    @cached_property
    def catalog(self) -> Catalog:
        """Every spec that plugins bring."""
        from harness.config.tasks import installed_catalog

        return installed_catalog()

    def ordered(self, records: list[EvaluationRecord]) -> list[EvaluationRecord]:
        """Return records by task as groups order them, then specs, then as they come."""
        if len({record.task for record in records}) < 2:
            return records
        order: dict[str, None] = {}
        for name in self.catalog.group_entries:
            try:
                order.update(dict.fromkeys(self.catalog.group(name).tasks))
            except HarnessError:  # a broken group orders nothing
                continue
        order.update(dict.fromkeys(self.catalog.entries))
        position = {task: index for index, task in enumerate(order)}
        return sorted(records, key=lambda record: position.get(record.task, len(position)))

    def supports(self, model: str, task: str) -> bool:
        """Whether a model can answer a task, as far as descriptor and spec are here to say."""
        descriptor = plugins().models().get(model)
        if descriptor is None or task not in self.catalog.entries:
            return True
        try:
            return self.catalog.task(task).ask.capability in descriptor.capabilities
        except HarnessError:
            return True

    def chosen(
        self, names: str | Iterable[str] | None, records: Sequence[EvaluationRecord]
    ) -> list[str] | None:
        """Return ids of tasks; of a group those that have a record, for a table that is partial.

        Args:
            names: Tasks and groups; a text may hold several, separated by commas.
            records: What a table is made of.

        Raises:
            UserError: groups none of whose tasks has a record.
        """
        from harness.config.tasks import task_names
        from harness.specs.catalog import fitting, is_pattern

        tasks = each_once(task_names(names or ()), "task or group", "--tasks")
        if not tasks:
            return None
        groups = self.catalog.groups
        recorded = {record.task for record in records}
        chosen: list[str] = []
        for name in tasks:
            if is_pattern(name):
                chosen += fitting(name, dict.fromkeys(record.task for record in records))
            elif name in groups and name not in recorded:
                chosen += [task for task in groups[name].tasks if task in recorded]
            else:
                chosen.append(name)
        if not chosen:
            raise UserError(f"no finished evaluation of {', '.join(tasks)}", fix="harness run ...")
        return chosen

    def arranged(
        self, records: list[EvaluationRecord], chosen: list[str] | None, layout: Layout | None
    ) -> list[EvaluationRecord]:
        """Return records in order, unless what is chosen or a layout arranges them.

        Raises:
            UserError: a layout's task is neither installed nor recorded, and resembles one.
        """
        if layout is None:
            return self.ordered(records) if chosen is None else records
        known = {*self.catalog.entries, *(record.task for record in records)}
        for column in layout.columns:
            if column.task not in known and near(column.task, known):
                where = f"layout {layout.id!r}: columns"
                error = unknown("task", column.task, known, where=where)
                error.fix += "; a spec of your own: --include FILE"
                raise error
        return records


def listed(names: str | Iterable[str] | None) -> list[str]:
    """Return names that commas separate, of one text or of several.

    Raises:
        UserError: one comes twice.
    """
    texts = [names or ""] if isinstance(names, str | None) else names
    parts = (name.strip() for text in texts for name in text.split(","))
    return each_once(filter(None, parts), "the name")
