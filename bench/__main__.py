"""Measures Auto Router beside the bare upstream and LiteLLM: `make bench`, explained in README.md.

Exits with 1 where a request takes over a quarter more CPU than reference.json allows.
"""

import argparse
import signal
import sys
from pathlib import Path

from autorouter_site.embedded import EmbeddedError
from bench import check, report
from bench.machine import Unfit
from bench.processes import ROOT, NotReady
from bench.run import Options, Run, write_json


def main() -> int:
    arguments = _arguments()
    # A closed terminal ends the servers as Ctrl-C does.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    options = Options(
        folder=arguments.folder.resolve(),
        litellm=arguments.litellm.resolve(),
        first_port=arguments.port,
        quick=arguments.quick,
        check_only=arguments.check,
        slower_ms=arguments.slower_ms,
    )
    try:
        results = Run(options).all()
    except (Unfit, NotReady, EmbeddedError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; every server that was started is ended.", file=sys.stderr)
        return 130
    verdicts = check.verdicts(results.checked)
    output = arguments.output or options.folder / "result.json"
    write_json(results, verdicts, output)
    print(report.text(results, verdicts))
    print(f"All numbers: {output}")
    if arguments.record:
        check.record(verdicts, results.machine)
        return 0
    return report.exit_code(verdicts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about three minutes, rougher")
    parser.add_argument("--check", action="store_true", help="only the check of CPU per request")
    parser.add_argument("--record", action="store_true", help="write bench/reference.json anew")
    parser.add_argument(
        "--slower-ms", type=float, default=0, help="waste that much CPU on each completion"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--litellm", type=Path, default=ROOT / "var" / "litellm")
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    parser.add_argument("--port", type=int, default=47000, help="the first of four ports")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
