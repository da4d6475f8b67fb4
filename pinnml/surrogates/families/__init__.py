"""Random problems made discrete: draws on a mesh, and the equations of every draw."""

from pinnml.surrogates.families.draws import Draws, bilinear_matrix
from pinnml.surrogates.families.family import Family, posed_on
