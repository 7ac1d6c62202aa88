"""Which package an error of a library asks for. Loads nothing."""

from __future__ import annotations

import re

_INSTALLS = re.compile(r"pip3? install (?:(?:-U|--upgrade|-q|--quiet) )*([A-Za-z][\w.\[\],-]*)")
_PACKAGES = {"PIL": "pillow", "cv2": "opencv-python", "flash_attn": "flash-attn"}
_CAUSES = 5  # how many causes of an error are looked at


def missing_package(error: BaseException) -> str:
    """Return the command that installs what an error says is not installed; empty for other errors.

    Libraries say it in their own words, most of them with the command; errors that they were raised
    from are looked at too.
    """
    seen: BaseException | None = error
    for _ in range(_CAUSES):
        if seen is None:
            break
        named = _INSTALLS.search(str(seen))
        if named:
            return f"pip install {named[1].rstrip('.')}"
        if isinstance(seen, ModuleNotFoundError) and seen.name:
            module = seen.name.partition(".")[0]
            return f"pip install {_PACKAGES.get(module, module.replace('_', '-'))}"
        seen = seen.__cause__ or seen.__context__
    return ""
