"""Networks on the nodes of a mesh that answer a parametric problem in one evaluation."""

from pinnml.surrogates.data import DataSet, generate
from pinnml.surrogates.losses import Loss
from pinnml.surrogates.networks import Brackets, GraphAttention, MessagePassing, Slices
from pinnml.surrogates.predictor import Predictor
from pinnml.surrogates.store import load_surrogate, save_surrogate
from pinnml.surrogates.surrogate import Surrogate
from pinnml.surrogates.trained import Trained, train
from pinnml.surrogates.training import Training
