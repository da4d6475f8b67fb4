"""A second look at a solution: how far off it is, what the equations determine, and what they leave."""

from pinnml.verification.consistency import Trial, trials, weak_trials
from pinnml.verification.missing_conditions import changes, initial_values, missing_conditions
from pinnml.verification.natural_conditions import replaced, unmet
from pinnml.verification.second_solve import Anew
from pinnml.verification.verify import Verification, verify
