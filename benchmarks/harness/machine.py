"""Describes the machine, without which no figure is meaningful."""

import os
import platform
import subprocess
from pathlib import Path


def describe() -> dict[str, str]:
    """Return CPU, cores, kernel, versions and load."""
    return {
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "go": _first_line("go", "version"),
        "cc": _first_line(os.environ.get("CC", "cc"), "--version"),
        "load average": f"{os.getloadavg()[0]:.2f} at the start",
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()  # not every architecture names a model


def _first_line(*command: str) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "not found"
    return next(iter(answer.stdout.splitlines()), "unknown")
