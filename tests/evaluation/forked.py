"""Commands in processes of their own, forked from a process that has imported what they need.

A start costs a fifth of that of a new interpreter. What a process does when it is killed, stopped
or ended by a signal, and what it leaves, is the same.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

# Reads one order a line; each is done by a fork, whose exit status is written back.
_PARENT = """
import json, os, sys
exec(json.loads(sys.stdin.readline()))
for line in iter(sys.stdin.readline, ""):
    folder, environment, out, err, arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for descriptor, path in ((0, os.devnull), (1, out), (2, err)):
            file = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)
            os.dup2(file, descriptor)
            os.close(file)
        entry(arguments)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@cache
def _parent(code: str, path: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _write(process, code)
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def _write(process: subprocess.Popen[str], order: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()


def forked(
    code: str, arguments: Sequence[str], environment: Mapping[str, str], path: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a fork of a process that has run ``code``, which defines ``entry``.

    Args:
        code: Python that imports what commands need, run once for all of them.
        arguments: Of the command.
        environment: All of its variables.
        path: ``PYTHONPATH`` of the process that is forked.
    """
    parent = _parent(code, path)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("out", "err")]
        for file in files:
            file.touch()
        _write(parent, [str(Path.cwd()), dict(environment), *map(str, files), [*arguments]])
        assert parent.stdout is not None
        status = int(parent.stdout.readline())
        return subprocess.CompletedProcess(
            [*arguments], status, *(file.read_text(encoding="utf-8") for file in files)
        )
