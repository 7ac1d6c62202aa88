"""Runs a command until its standard input is closed, then ends it and removes its folder.

``python -P keeper.py FOLDER COMMAND...``: so that no Ray is left by a run that is killed. Nobody
types this, and it imports nothing of the harness.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

ENDS = 20.0
"""Seconds that a command has to end its processes."""
GROUP = "group"
"""File with the number of the command's process group."""
ENDED = "ended"
"""File that is there once the command has ended."""
_TRIES, _APART = 50, 0.1  # of removing the folder: what is killed may still be writing


def main(folder: Path, *command: str) -> None:
    """Run the command, in a process group of its own."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)  # noqa: S603  of our caller
    (folder / GROUP).write_text(str(process.pid))

    def wait() -> None:
        process.wait()
        (folder / ENDED).touch()

    waiting = Thread(target=wait, daemon=True)
    waiting.start()
    sys.stdin.buffer.read()
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDS)
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)  # the command, and whatever it left
    waiting.join()
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_APART)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
