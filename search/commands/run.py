"""Search, train and export a family, as a configuration says."""

import argparse
from pathlib import Path

EXAMPLE = "run configs/digits.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run``."""
    parser.add_argument("config", type=Path, help="YAML file, such as configs/digits.yaml")
    parser.add_argument("--runs", help="folder of all runs, in place of the configuration's 'runs'")
    parser.add_argument(
        "--ray-address", help="a running Ray cluster to join ('auto' finds it), in place of 'ray.address'"
    )
    parser.add_argument(
        "--warm-start",
        type=lambda text: [Path(part) for part in text.split(",") if part],
        default=[],
        metavar="RUN,RUN",
        help="earlier runs on the same or an overlapping space (other data, other limits) to start from, by comma",
    )


def run(arguments: argparse.Namespace) -> None:
    """Start a search, or go on with it if the same configuration was started before.

    Raises:
        UsageError: the run's folder holds another configuration, or an earlier run cannot be used.
    """
    from search.setting.config import read

    config = read(arguments.config)  # before anything that takes seconds to import
    from search.experiment.running import carry_out, show_finished
    from search.experiment.warm_start import check_unchanged
    from search.family.members import is_complete
    from search.identity.saved import continued
    from search.setting.sections.ray import RaySection

    if arguments.runs is not None:
        config = config.model_copy(update={"runs": arguments.runs})
    if arguments.ray_address is not None:
        config = config.model_copy(update={"ray": RaySection(address=arguments.ray_address)})
    if (config.folder / "config.yaml").exists():
        config = continued(config, arguments.config)
        check_unchanged(config.folder, arguments.warm_start)
        if is_complete(config.folder / "family"):
            show_finished(config)
            return
    carry_out(config, warm_start=arguments.warm_start, verbose=arguments.verbose)
