"""Jets, vectors of jets, and the operators on them: the language in which physics is written."""

import pinnml.calculus.torch_functions  # teaches jets PyTorch's functions
from pinnml.calculus.gradients import with_gradients
from pinnml.calculus.indices import Axes, IndexSet, MultiIndex, index_set, meet, total_order, union
from pinnml.calculus.jet import Jet, coordinate_jets, data_jet
from pinnml.calculus.operators import cross, curl, div, dot, grad, jump, laplacian, normal_derivative
from pinnml.calculus.ridges import common_slopes, ridge_functions
from pinnml.calculus.splines import interval_of, pieces, series, windows
from pinnml.calculus.switches import Watch, watched
from pinnml.calculus.vector import Vector
