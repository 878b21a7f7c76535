"""Write the report of a finished run again and print its family."""

import argparse
from pathlib import Path

EXAMPLE = "report runs/digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``report``."""
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/digits")


def run(arguments: argparse.Namespace) -> None:
    """Write ``report.html`` from the study and the family.

    Raises:
        UsageError: the run has no family yet.
    """
    from search.identity.saved import saved

    config = saved(arguments.run)  # before anything that takes seconds to import
    print(f"writing the report of '{config.folder}'", flush=True)
    from rich.console import Console

    from search.console.result import show
    from search.family.members import load_family
    from search.identity.folder import family_folder, prepare_run, read_study
    from search.report.gather import gather
    from search.report.page import write_report

    folder = family_folder(arguments.run)
    setting = prepare_run(config)
    study = read_study(setting, encoded=False)
    family = load_family(folder)
    page = config.folder / "report.html"
    write_report(gather(setting, study, family, folder, page), page)
    show(family, config)
    if setting.device is not None:
        Console().print(setting.device.describe(), highlight=False, soft_wrap=True)
