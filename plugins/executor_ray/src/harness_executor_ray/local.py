"""Ray on this machine for one run: on the loopback alone, with every port given.

Ray's node ends itself when its agents take more than 15 seconds to start, which no setting changes.
On a loaded machine it is therefore started again; by then most of what its agents read is cached.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from harness.errors import one_line

from harness_executor_ray.keeper import ENDED, ENDS, GROUP

_PORTS = (
    "--port",
    "--node-manager-port",
    "--object-manager-port",
    "--ray-client-server-port",
    "--dashboard-agent-grpc-port",
    "--dashboard-agent-listen-port",
    "--metrics-export-port",
    "--runtime-env-agent-port",
)
_RAY = str(Path(sys.executable).with_name("ray"))
_LOOK = 0.5  # seconds between looks at whether it has started
_MOST_TRIES = 5
_STARTED = "Ray runtime started"
_NODE_ENDED = "Check failed"
_FAULT = re.compile(r"Check failed: \S+ *(.+)|^\w*(?:Error|Exception): (.+)", re.MULTILINE)
_LONGEST = 200  # characters
# 0: nodes have the loopback's address, as Ray does it on macOS. Otherwise it would listen on every
# network of this machine, and those who reach Ray can run anything.
_CLUSTERS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


class LocalRay:
    """A head node of this run alone.

    Args:
        seconds: That it may take to start, further tries included.

    Attributes:
        address: Where it is reached.

    Raises:
        TimeoutError: it did not start; the message says what the last try ended with.
    """

    def __init__(self, seconds: float) -> None:
        ends, tries, fault = time.monotonic() + seconds, 0, ""
        while tries < _MOST_TRIES and time.monotonic() < ends:
            tries += 1
            self._start()
            try:
                if self._has_started(ends):
                    return
            except BaseException:
                self.end()
                raise
            fault = self._fault() or fault
            self.end()
        why = f": {fault}" if fault else ""
        raise TimeoutError(f"it did not start within {seconds:.0f} s and {tries} tries{why}")

    def _start(self) -> None:
        # Ray's sockets lie in it, and their names must not be long.
        base = os.environ.get("RAY_TMPDIR") or ("/tmp" if Path("/tmp").is_dir() else None)  # noqa: S108
        self._folder = Path(tempfile.mkdtemp(prefix="harness-", dir=base))
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self._keeper = self._kept(_free_ports(len(_PORTS)))
            stack.pop_all()

    def _kept(self, ports: Sequence[int]) -> subprocess.Popen[bytes]:
        self.address = f"127.0.0.1:{ports[0]}"
        with (self._folder / "log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, "-P", str(Path(__file__).with_name("keeper.py")),
                 str(self._folder), _RAY, "start", "--head", "--block",
                 "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--no-monitor",
                 f"--temp-dir={self._folder}", "--disable-usage-stats",
                 *(f"{flag}={port}" for flag, port in zip(_PORTS, ports, strict=True))],
                env=_environment(),
                stdout=log, stderr=log, stdin=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip

    def _has_started(self, ends: float) -> bool:
        """Wait until the node is up; return whether it is, and did not end."""
        while time.monotonic() < ends:
            log, *errors = self._texts()
            if _STARTED in log:
                return True
            # ``ray start`` itself waits half a minute more for a node that has ended.
            ended = (self._folder / ENDED).exists() or self._keeper.poll() is not None
            if ended or any(_NODE_ENDED in text for text in errors):
                break
            time.sleep(_LOOK)
        return False

    def _texts(self) -> list[str]:
        """Return what ``ray start`` wrote, and what the node wrote of errors."""
        paths = (self._folder / "log", *self._folder.glob("session_2*/logs/raylet.err"))
        return [path.read_text("utf-8", errors="replace") for path in paths]

    def _fault(self) -> str:
        """Return what Ray says of its end, on one line; empty for nothing."""
        for text in reversed(self._texts()):
            if faults := _FAULT.findall(text):
                return one_line("".join(faults[-1]), _LONGEST)
        return ""

    def end(self) -> None:
        """End Ray and everything that it started."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._keeper.wait(2 * ENDS)
        self._keeper.kill()
        self._keeper.wait()
        with suppress(OSError, ValueError):  # none where the keeper did its work
            os.killpg(int((self._folder / GROUP).read_text()), signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def loopback() -> Iterator[None]:
    """Let Ray connect to 127.0.0.1 as it is; otherwise it puts a network's address in its place."""
    from ray._private import ray_constants

    name = "ENABLE_RAY_CLUSTER"
    if not hasattr(ray_constants, name):
        raise RuntimeError("this version of Ray cannot be kept on the loopback")
    before = getattr(ray_constants, name)
    setattr(ray_constants, name, False)
    try:
        yield
    finally:
        setattr(ray_constants, name, before)


def _environment() -> dict[str, str]:
    """Return the variables of the node, and so of the actors; those of another cluster left out."""
    variables = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    return {**variables, "RAY_USAGE_STATS_ENABLED": "0", _CLUSTERS: "0"}


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
