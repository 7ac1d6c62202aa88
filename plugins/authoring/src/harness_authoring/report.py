"""What a report says beside its checks: what was checked, versions, the machine."""

from __future__ import annotations

import platform
from typing import Any

from harness._version import __version__
from harness.plugins import plugins

from harness_authoring.subjects import TASK, Subject


def about(subject: Subject) -> dict[str, Any]:
    """Return what was checked and with what; it holds no path of this machine."""
    declared = getattr(subject.descriptor, "options", ())
    facts = {
        option.name: subject.options[option.name]
        for option in declared
        if subject.options[option.name] != option.default and option.type != "path"
    }
    versions = {"social-harness": __version__, "python": platform.python_version()}
    if subject.installed and subject.kind != TASK:
        versions["plugin"] = plugins().distribution_of(subject.descriptor)
    return {
        "kind": subject.kind,
        "id": subject.id,
        "options": facts,
        "versions": versions,
        "platform": platform.platform(),
    }
