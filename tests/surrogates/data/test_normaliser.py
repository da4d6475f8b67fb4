"""Scales of inputs and outputs, against NumPy."""

import json

import numpy as np
import pytest
import torch

from pinnml.surrogates.data import Normaliser, Scale

RANDOM = np.random.default_rng(4)
GAUSSIAN = RANDOM.standard_normal(4000)


def scale(values: np.ndarray) -> Scale:
    return Scale.of(torch.from_numpy(values)[None], may_bend=True)


@pytest.mark.parametrize(
    ("values", "logarithm"),
    [
        (np.exp(0.7 * GAUSSIAN), True),
        (np.exp(3 * GAUSSIAN), True),
        (np.exp(0.05 * GAUSSIAN), False),  # nearly Gaussian already
        (GAUSSIAN, False),
        (5 + np.exp(GAUSSIAN) * np.sign(GAUSSIAN), False),
        (np.where(GAUSSIAN > 0, 100.0, 1.0), False),  # two values are two values, whatever is taken of them
        (RANDOM.uniform(1, 100, 4000), False),  # the logarithm would make it skew
        (np.full(50, 3.0), False),
    ],
)
def test_the_logarithm_is_taken_of_what_it_makes_less_skew(values, logarithm):
    found, x = scale(values), torch.from_numpy(values)
    assert found.logarithm == logarithm
    bent = np.log(values) if logarithm else values
    deviation = bent.std() or 1.0
    assert found.mean[0] == pytest.approx(bent.mean(), rel=1e-12)
    np.testing.assert_allclose(found.forward(x).numpy(), (bent - bent.mean()) / deviation, atol=1e-12)
    np.testing.assert_allclose(found.back(found.forward(x)).numpy(), values, rtol=1e-12)
    assert (found.low, found.high) == (values.min(), values.max())


def data(n: int = 7, nodes: int = 5):
    """A vector of two components and a number, at nodes."""
    inputs = {"k": torch.from_numpy(np.exp(RANDOM.standard_normal((n, 4)))), "load": torch.from_numpy(RANDOM.random(n))}
    return inputs, torch.from_numpy(RANDOM.standard_normal((n, 3 * nodes))) * 4 + 1


FIELDS = {"w": 2, "p": 1}


def test_components_have_means_and_fields_a_deviation():
    inputs, outputs = data()
    found = Normaliser.fitted([inputs], [outputs], FIELDS)
    u = outputs.numpy().reshape(7, 3, 5)
    np.testing.assert_allclose(found.outputs["w"].mean, u[:, :2].mean(axis=(0, 2)), rtol=1e-12)
    away = u[:, :2] - u[:, :2].mean(axis=(0, 2), keepdims=True)
    assert found.outputs["w"].deviation == pytest.approx(np.sqrt((away**2).mean()), rel=1e-12)
    assert found.outputs["p"].deviation == pytest.approx(u[:, 2].std(), rel=1e-12)
    scaled = found.scaled_outputs(outputs)
    np.testing.assert_allclose(scaled.numpy().reshape(7, 3, 5).mean(axis=(0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(found.outputs_of(scaled).numpy(), outputs.numpy(), rtol=1e-12)
    # one sample, and a series of them, alike
    torch.testing.assert_close(found.scaled_outputs(outputs[2]), scaled[2])
    torch.testing.assert_close(found.scaled_outputs(outputs[:6].unflatten(0, (2, 3))), scaled[:6].unflatten(0, (2, 3)))


def test_directions_stay_what_they_are():
    inputs, outputs = data()
    found = Normaliser.fitted([inputs], [outputs], FIELDS)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    parts = outputs.unflatten(-1, (3, -1))
    turned = torch.cat([torch.einsum("ij,njk->nik", turn, parts[:, :2]), parts[:, 2:]], dim=1).flatten(1)
    other = Normaliser.fitted([inputs], [turned], FIELDS)
    both = [n.scaled_outputs(x).unflatten(-1, (3, -1))[:, :2] for n, x in ((found, outputs), (other, turned))]
    torch.testing.assert_close(torch.einsum("ij,njk->nik", turn, both[0]), both[1])


def test_several_meshes_count_value_by_value():
    first, second = data(3, 5), data(4, 8)
    found = Normaliser.fitted([first[0], second[0]], [first[1], second[1]], FIELDS)
    p = np.concatenate([each.numpy().reshape(len(each), 3, -1)[:, 2].ravel() for each in (first[1], second[1])])
    assert found.outputs["p"].mean[0] == pytest.approx(p.mean(), rel=1e-12)
    assert found.outputs["p"].deviation == pytest.approx(p.std(), rel=1e-12)


def test_records_come_back_and_others_are_refused():
    inputs, outputs = data()
    found = Normaliser.fitted([inputs], [outputs], FIELDS)
    record = json.loads(json.dumps(found.to_json()))
    assert Normaliser.from_json(record) == found
    for name, value in (("deviation", 0.0), ("mean", []), ("logarithm", 1), ("low", 1e9), ("high", "x")):
        wrong = json.loads(json.dumps(record))
        wrong["outputs"]["p"][name] = value
        with pytest.raises((KeyError, TypeError, ValueError)):
            Normaliser.from_json(wrong)
