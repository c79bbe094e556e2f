#!/usr/bin/env python
"""Trunkline's command line: `manage.py help` lists what it can do."""

import atexit
import os
import shutil
import sys
import tempfile


def main() -> None:
    """Check the environment first, so that a fault in it is one clear list and not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.environment import EnvironmentFaults, load

    try:
        load()
    except EnvironmentFaults as faults:
        raise SystemExit(str(faults)) from None
    if sys.argv[1:2] in (["serve"], ["demo"], ["run_intake"], ["run_control"]):
        share_metrics()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def share_metrics() -> None:
    """Let /metrics see every process of the group. Before the first metric is made, hence here."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        directory = tempfile.mkdtemp(prefix="trunkline-metrics-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)  # forked children end without running this
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory


if __name__ == "__main__":
    main()
