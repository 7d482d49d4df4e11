"""The command line: parses options, then builds, measures and prints."""

import argparse
import json
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType

from . import endings, machine, output, parallel, startup, throughput
from .build import CannotBuildError, build_client, build_reference_servers
from .client import Client, ClientFailedError
from .lab import FULL, QUICK, Lab, Plan, Sample
from .own_processes import ProcessEndedError
from .servers import ServerFailedError, ServerSpec
from .table import render

SECTIONS = {
    section.name: section
    for section in (throughput.SECTION, output.SECTION, parallel.SECTION, startup.SECTION, endings.SECTION)
}
_ROOT = Path(__file__).resolve().parent.parent.parent
_AGENT = (sys.executable, "-m", "execwire", "serve", "--port", "{port}")
_NAMED = re.compile(r"([A-Za-z][\w.-]*)=(.+)", re.DOTALL)


def main() -> int:
    """Measure and print. Returns 0, 1 if a server or the client failed, 2 if a build failed, 130 after Ctrl-C."""
    signal.signal(signal.SIGTERM, _leave)
    options = _options()
    try:
        with tempfile.TemporaryDirectory(prefix="execwire-bench-") as name:
            _measure(options, Path(name))
    except CannotBuildError as error:
        print(error, file=sys.stderr)
        return 2
    except (ServerFailedError, ClientFailedError, ProcessEndedError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _leave(number: int, _frame: FrameType | None) -> None:
    # An exception, so that every server is stopped by its context manager.
    raise SystemExit(128 + number)


def _measure(options: argparse.Namespace, folder: Path) -> None:
    plan = _plan(options)
    client = Client(build_client(folder))
    lab = Lab((*_agents(options.agent), *build_reference_servers(folder)), client, plan)
    described = machine.describe()
    print("# Benchmarks\n")
    print("".join(f"- {key}: {value}\n" for key, value in described.items()))
    print("Medians. A ratio is the median of the rounds' own ratios, with the lowest and the highest in brackets.\n")
    results: dict[str, list[Sample]] = {}
    for section in SECTIONS.values():
        if options.only and section.name not in options.only:
            continue
        print(f"measuring {section.name} ...", file=sys.stderr)
        results[section.name] = section.measure(lab)
        print(render(section, results[section.name], lab.servers), flush=True)
    if options.json is not None:
        raw = {name: [asdict(sample) for sample in samples] for name, samples in results.items()}
        document = {"machine": described, "plan": asdict(plan), "sections": raw}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


def _plan(options: argparse.Namespace) -> Plan:
    given = {name: value for name, value in vars(options).items() if name in Plan.__annotations__ and value is not None}
    return replace(QUICK if options.quick else FULL, **given)


def _agents(commands: Sequence[str]) -> list[ServerSpec]:
    if not commands:
        # In the root of the checkout `-m` finds the package even if it is not installed.
        return [ServerSpec("agent", _AGENT, folder=_ROOT, is_agent=True)]
    specs: list[ServerSpec] = []
    for number, text in enumerate(commands, start=1):
        named = _NAMED.fullmatch(text)
        name, command = named.groups() if named else (f"agent{number if number > 1 else ''}", text)
        specs.append(ServerSpec(name, tuple(shlex.split(command)), is_agent=True))
    return specs


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py", description="Compare the agent with the reference servers.")
    add = parser.add_argument
    add("--only", action="append", choices=list(SECTIONS), help="measure only this section; may be repeated")
    add("--quick", action="store_true", help="a short run of everything, for CI: coarse figures in half a minute")
    add("--rounds", type=_count, metavar="N", help=f"rounds of throughput and start ({FULL.rounds})")
    add("--heavy-rounds", type=_count, metavar="N", help=f"rounds of output and parallel ({FULL.heavy_rounds})")
    add("--tasks", type=_count, metavar="N", help=f"tasks in one throughput run ({FULL.tasks})")
    add("--output-bytes", type=_count, metavar="N", help=f"bytes that the task of output writes ({FULL.output_bytes})")
    add("--sleepers", type=_count, metavar="N", help=f"simultaneous tasks in parallel ({FULL.sleepers})")
    add("--sleep-seconds", type=_count, metavar="N", help=f"seconds that each of them sleeps ({FULL.sleep_seconds})")
    add("--timeouts", type=_count, metavar="N", help=f"successive timeouts in endings ({FULL.timeouts})")
    add("--endings", type=_count, metavar="N", help=f"simultaneous timeouts in endings ({FULL.endings})")
    add("--json", type=Path, metavar="FILE", help="write the figures of every run to this file")
    add(
        "--agent",
        action="append",
        default=[],
        metavar="[NAME=]CMD",
        help="measure this command, not the checkout's agent; may be repeated: others are compared with the first. "
        "{port} is replaced by the port; without it, 127.0.0.1:PORT is read from stderr. Variables: `env A=1 command`",
    )
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        message = f"{number} is not positive"
        raise argparse.ArgumentTypeError(message)
    return number
