"""What a user states: fields, equations on regions, and what binds them to a network's outputs by name."""

from pinnml.problem.bare_faces import bare_faces
from pinnml.problem.binding import (
    FROM_ZERO,
    by_field,
    call,
    check_finite,
    fields_of,
    namespace,
    raw_fields,
    real,
    residuals,
)
from pinnml.problem.collocation import check_data, check_posed_at_points, counts, drawn, held_out_sample, sided
from pinnml.problem.derivatives import HIGHEST_ORDER, Needs, discover
from pinnml.problem.equation import WEAK_FORM, Equation, Field, Term, Weak, argument_names, test_names, weak_name
from pinnml.problem.nodal_values import at_corners
from pinnml.problem.problem import AT_INTERFACES, Problem
from pinnml.problem.random_inputs import (
    GaussianField,
    LogNormalField,
    Normal,
    Random,
    TwoValuedField,
    Uniform,
    check_nothing_random,
    check_random,
    in_the_middle,
)
from pinnml.problem.windows import FIRST, HandedOn, check_goes_in_slabs, edges_of, window_of
