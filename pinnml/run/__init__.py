"""solve(): what was asked for, the loop around every solver, and the verdict at its end."""

from pinnml.run.consistency import Trial, trials, weak_trials
from pinnml.run.loop import Callback, Progress
from pinnml.run.natural_conditions import replaced, unmet
from pinnml.run.preparation import prepared
from pinnml.run.recipe import Recipe
from pinnml.run.solve import solve
