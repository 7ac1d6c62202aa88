"""Runs a command until its standard input is closed, then ends it and removes its folder.

``python keeper.py FOLDER COMMAND...``: so that no Ray is left by a run that is killed. Nobody types
this, and it imports nothing of the harness.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from threading import Event, Thread

ENDS = 20.0
"""Seconds that a command has to end its processes."""


def main(folder: str, *command: str) -> int:
    """Run the command; return its status if it ends by itself."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  of our caller
    closed = Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        closed.set()
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDS)
        process.kill()

    Thread(target=watch, daemon=True).start()
    status = process.wait()
    if closed.is_set():
        shutil.rmtree(folder, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)  # whatever the command left, and this process
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
