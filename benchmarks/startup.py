"""Start of the command line, as a multiple of importing the libraries that it rests on.

Each round runs every command once, in turn, so that a busy moment falls on all of them; the
result is the median over rounds of the ratio within a round, of CPU time.

Example: python benchmarks/startup.py --rounds 15
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

WANTED = 1.5
BASE = "libraries"
LIBRARIES = "import click, rich, yaml, jsonschema"
COMMANDS = {
    BASE: [sys.executable, "-c", LIBRARIES],
    "harness --help": [sys.executable, "-m", "harness", "--help"],
    "harness tasks": [sys.executable, "-m", "harness", "tasks"],
    "harness models": [sys.executable, "-m", "harness", "models"],
    "harness plugins": [sys.executable, "-m", "harness", "plugins"],
}


def seconds(command: list[str]) -> float:
    """Return the CPU time of one run, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    for command in COMMANDS.values():  # compiled files and the disk's cache are there
        seconds(command)
    rounds = [
        {name: seconds(command) for name, command in COMMANDS.items()}
        for _ in range(arguments.rounds)
    ]
    figures = {
        name: {
            "seconds": round(statistics.median(held[name] for held in rounds), 4),
            "ratio": round(statistics.median(held[name] / held[BASE] for held in rounds), 3),
        }
        for name in COMMANDS
    }
    print(f"{'command':<18}{'ms':>8}{'ratio':>8}   wanted")
    for name, runs in figures.items():
        wanted = "" if name == BASE else f"<= {WANTED}"
        print(f"{name:<18}{1000 * runs['seconds']:>8.1f}{runs['ratio']:>8.2f}   {wanted}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
