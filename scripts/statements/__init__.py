"""Random statements of problems: well-posed ones whose solutions the solver is not told, and broken ones.

A statement follows from its number alone. Every fifth is broken: it has no solution, more than one, or one that is
hard to come by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from scripts.statements import (
    contradictory,
    elliptic,
    evolution,
    measured,
    nonlinear,
    solids_and_flows,
    treacherous,
    undetermined,
)
from scripts.statements.drawing import Draw
from scripts.statements.statement import Posed, Statement

#: What makes a statement of a family.
Maker = Callable[[Draw], Posed]
#: One statement of so many is broken.
BROKEN_EVERY = 5

WELL_POSED: Mapping[str, Maker] = {
    "poisson 1-d": partial(elliptic.poisson, axes="x"),
    "poisson 2-d": partial(elliptic.poisson, axes="xy"),
    "poisson 3-d": partial(elliptic.poisson, axes="xyz"),
    "heat 1-d": partial(evolution.heat, axes="xt"),
    "heat 2-d": partial(evolution.heat, axes="xyt"),
    "parameter, exact data": partial(measured.conductivity, noise=False),
    "parameter, noisy data": partial(measured.conductivity, noise=True),
} | {
    maker.__name__.replace("_", " "): maker
    for maker in (
        elliptic.slopes_and_mean,
        elliptic.conduction,
        elliptic.carried,
        elliptic.layer,
        elliptic.periodic,
        elliptic.helmholtz,
        elliptic.impedance,
        elliptic.plate,
        elliptic.beam,
        elliptic.first_order,
        elliptic.half_slopes,
        elliptic.parametric,
        elliptic.on_a_mesh,
        elliptic.narrow,
        evolution.wave,
        evolution.advection,
        evolution.advection_diffusion,
        evolution.schroedinger,
        evolution.oscillators,
        evolution.first_order_system,
        evolution.standing_wave,
        evolution.cavity,
        evolution.curls,
        solids_and_flows.elasticity,
        solids_and_flows.stokes,
        solids_and_flows.navier_stokes,
        nonlinear.reaction,
        nonlinear.nonlinear_diffusion,
        nonlinear.phase_field,
        nonlinear.burgers,
        nonlinear.soliton,
        nonlinear.pendulum,
        nonlinear.populations,
        nonlinear.decay,
        measured.sensors_for_a_side,
        measured.growth_rate,
        measured.regression,
    )
}

BROKEN: Mapping[str, Maker] = {
    maker.__name__.replace("_", " "): maker
    for maker in (
        undetermined.missing_end,
        undetermined.missing_side,
        undetermined.no_mean,
        undetermined.no_velocity,
        undetermined.no_start,
        undetermined.no_inflow,
        undetermined.one_parameter_too_many,
        undetermined.no_equation,
        undetermined.one_condition_of_a_plate,
        undetermined.floating_body,
        undetermined.no_pressure,
        undetermined.resonance,
        undetermined.slopes_of_a_vibration,
        undetermined.periodic_without_level,
        undetermined.nonlinear_without_mean,
        contradictory.unbalanced,
        contradictory.three_conditions,
        contradictory.wrong_total,
        contradictory.pinned,
        contradictory.sensors_disagree,
        contradictory.wrong_data,
        contradictory.off_resonance_source,
        contradictory.beyond_the_fold,
        contradictory.blow_up,
        contradictory.wrong_flux,
        contradictory.two_starts,
        treacherous.unseen_source,
        treacherous.unseen_charge,
        treacherous.nearly_incompressible,
        treacherous.backward_heat,
        treacherous.cauchy,
        treacherous.near_resonance,
        treacherous.growing,
        treacherous.long_oscillation,
        treacherous.jump_by_where,
        treacherous.fine_waves,
        treacherous.singular_corner,
    )
}


def statement(number: int) -> Statement:
    """The statement of this number: families take turns, and what is random is drawn from the number."""
    turn, place = divmod(number, BROKEN_EVERY)
    broken = place == BROKEN_EVERY - 1
    families = BROKEN if broken else WELL_POSED
    names = list(families)
    family = names[(turn if broken else number - turn) % len(names)]
    return Statement(number, family, broken, families[family](Draw(number)))
