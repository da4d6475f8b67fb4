"""Which products of fields, test functions and parameters an integrand is a sum of, told by following it once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from pinnml.elements.pointwise import Integrand

#: The factors that are no parameters; no parameter has a name with a space.
TRIAL, TEST = "trial functions", "test functions"
#: Products, each by its factors in order; a factor that stands there twice is not linear.
Monomials = frozenset[tuple[str, ...]]
CONSTANT: Monomials = frozenset({()})
#: The product that is linear in u, with a coefficient that knows the place and numbers alone.
FIXED = tuple(sorted((TRIAL, TEST)))
#: Points at which an integrand is followed: a number that no other axis has.
POINTS = 211

_aten = torch.ops.aten
#: What is linear in its tensors together; along the points it leaves all where they are, or the shape shows it.
_LINEAR = {
    *(_aten.view, _aten._unsafe_view, _aten._reshape_alias, _aten.expand, _aten.unsqueeze, _aten.squeeze),
    *(_aten.select, _aten.slice, _aten.t, _aten.transpose, _aten.permute, _aten.alias, _aten.clone, _aten.neg),
    *(_aten.unbind, _aten.split, _aten.split_with_sizes, _aten.stack, _aten.cat),
}
_SUMS = {_aten.add.Tensor, _aten.add.Scalar, _aten.sub.Tensor, _aten.sub.Scalar, _aten.rsub.Scalar}
_PRODUCTS = {_aten.mul.Tensor, _aten.mul.Scalar}
_QUOTIENTS = {_aten.div.Tensor, _aten.div.Scalar}
#: What takes no more than the shape of a tensor.
_FRESH = {_aten.zeros_like, _aten.ones_like, _aten.full_like, _aten.new_zeros, _aten.new_ones, _aten.new_full}


class UntoldError(Exception):
    """What an integrand does cannot be told from its products."""


def monomials(integrand: Integrand, known: Mapping[str, Tensor], nodal: Iterable[str]) -> Monomials | None:
    """The products that w(u, v) is a sum of, with coefficients that depend on the place and on numbers alone.

    known: parameters that are numbers; nodal: the names of others, which are values at points. A function that is not
    linear in what it is given counts as a product that has every factor twice. None where nothing can be told: the
    integrand asks for a value to go by, mixes points, writes over its arguments or turns derivatives off.
    """
    points = torch.arange(POINTS) % len(integrand.sample)
    tried = integrand.on(points)
    value = tried.sample.x.new_ones((len(points), integrand.size))
    followed = {name: Followed(value[:, 0].clone(), frozenset({(name,)}), len(points)) for name in nodal}
    u, v = (Followed(value, frozenset({(factor,)}), len(points)) for factor in (TRIAL, TEST))
    try:
        with torch.enable_grad():
            return _of(tried(u, v, {**known, **followed}))
    except Exception:  # whatever it is, an integrand that is wrong is told of where it is evaluated
        return None


class Followed(Tensor):
    """A tensor with one axis of points that knows which products it is a sum of; its data are out of reach."""

    inner: Tensor
    monomials: Monomials
    points: int

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @staticmethod
    def __new__(cls, inner: Tensor, monomials: Monomials, points: int) -> Followed:
        """A tensor without data of the shape and kind of another."""
        more = {"strides": inner.stride(), "dtype": inner.dtype, "device": inner.device}
        return Tensor._make_wrapper_subclass(cls, inner.shape, **more)  # pyright: ignore[reportAttributeAccessIssue]

    def __init__(self, inner: Tensor, monomials: Monomials, points: int):
        self.inner, self.monomials, self.points = inner, monomials, points

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """The same of the data, with the products of the result."""
        given = {"args": args, "kwargs": kwargs or {}}
        if func._schema.is_mutable or not torch.is_grad_enabled():
            raise UntoldError(func)
        plain = tree_map(lambda each: each.inner if isinstance(each, Followed) else each, given)
        result = func(*plain["args"], **plain["kwargs"])
        if func.overloadpacket in _FRESH:
            return result
        found, points = _products(func, args, given), _followed(given)[0].points
        for each in tree_leaves(result):
            # one axis of points is left: none is chosen, none summed, no two are brought together
            if not isinstance(each, Tensor) or list(each.shape).count(points) != 1:
                raise UntoldError(func)
        return tree_map(lambda each: Followed(each, found, points), result)


def _products(func: Any, args: tuple, given: Any) -> Monomials:
    """The products of what an operation gives."""
    if func.overloadpacket in _LINEAR:
        return frozenset().union(*(_of(each) for each in tree_leaves(given) if isinstance(each, Tensor)))
    if func in _SUMS:
        return _of(args[0]) | _of(args[1])
    if func in _PRODUCTS:
        return frozenset(tuple(sorted(a + b)) for a, b in product(_of(args[0]), _of(args[1])))
    if func in _QUOTIENTS and not isinstance(args[1], Followed):
        return _of(args[0])
    if func is _aten.where.self and not isinstance(args[0], Followed):
        return _of(args[1]) | _of(args[2])
    factors = {factor for each in _followed(given) for product in each.monomials for factor in product}
    return frozenset({tuple(sorted([*factors, *factors]))})


def _of(value: Any) -> Monomials:
    """The products of an operand: a number or a tensor that was not followed is a constant."""
    return value.monomials if isinstance(value, Followed) else CONSTANT


def _followed(given: Any) -> list[Followed]:
    return [each for each in tree_leaves(given) if isinstance(each, Followed)]
