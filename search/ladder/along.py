"""Trainings of one candidate with each value of one address: what a larger network of its kind would bring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from search.errors import UsageError
from search.ladder.rungs import FEWEST, FOLDER, Ladder, jobs_of, listed, place_of, trained
from search.files import write_text
from search.setting.setting import Setting
from spaces.candidate import Candidate
from spaces.dimensions import Value, is_ordinal
from spaces.space import Codes
from spaces.translation import addressed, translate
from trainables.training.features import accuracy  # noqa: F401
