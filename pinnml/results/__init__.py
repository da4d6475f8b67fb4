"""What comes out of a solve: solutions with their verdicts, how they are kept, read back, shown and compared."""

from pinnml.results.checkpoint_file import read_archive, read_progress
from pinnml.results.comparison import Comparison, Run, compare
from pinnml.results.fields import fields_at, value_array, values_at
from pinnml.results.known_solution import (
    Fields,
    check_known,
    distance,
    error_sample,
    errors,
    known_solution,
    relative_l2,
)
from pinnml.results.loading import load
from pinnml.results.provenance import provenance
from pinnml.results.run_files import of_run, told, verdict_record, warned, write_state, written
from pinnml.results.settings_record import described, parts_there
from pinnml.results.solution import Solution
from pinnml.results.verdict import Verdict
from pinnml.results.views import history, panels, snapshots
