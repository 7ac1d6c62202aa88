"""Ray on this machine, started with every port given and ended with the run.

Left to itself Ray's node waits seconds for a file with its agents' ports, and gives up on a machine
that is loaded; with ports given it does not wait.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

_PORTS = (
    "--port",
    "--node-manager-port",
    "--object-manager-port",
    "--dashboard-agent-grpc-port",
    "--dashboard-agent-listen-port",
    "--metrics-export-port",
    "--runtime-env-agent-port",
)
_ENDS = 20.0  # seconds that Ray has to end its processes


class LocalRay:
    """A head node of this run alone."""

    def __init__(self) -> None:
        ports = _free_ports(len(_PORTS))
        self.address = f"127.0.0.1:{ports[0]}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by end
        port_flags = [f"{flag}={port}" for flag, port in zip(_PORTS, ports, strict=True)]
        self._process = subprocess.Popen(  # noqa: S603  our own command
            [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block",
             "--node-ip-address=127.0.0.1", "--include-dashboard=false",
             "--disable-usage-stats", *port_flags],
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
            stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def has_ended(self) -> bool:
        """Whether Ray gave up."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End Ray and everything that it started."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
