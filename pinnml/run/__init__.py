"""solve(): what was asked for, the loop around every solver, and the verdict at its end."""

from pinnml.run.loop import Callback, Progress
from pinnml.run.memory import footprint, free_bytes, shown
from pinnml.run.preparation import prepared
from pinnml.run.recipe import Recipe
from pinnml.run.solve import solve
from pinnml.run.threads import threads_put_back
