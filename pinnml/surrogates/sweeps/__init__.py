"""Sweeps of the true operator of a draw from a prediction: cycles, Krylov methods."""

from pinnml.surrogates.sweeps.congruence import Congruence
from pinnml.surrogates.sweeps.corrector import Corrector, near_null_fields
from pinnml.surrogates.sweeps.krylov import Sweep, conjugate_gradients, conjugate_residuals, least_eigenvalue
from pinnml.surrogates.sweeps.multigrid import Hierarchy
from pinnml.surrogates.sweeps.norms import FieldNorms
from pinnml.surrogates.sweeps.preconditioning import Preconditioning
from pinnml.surrogates.sweeps.progress import Progress, Track, beside
