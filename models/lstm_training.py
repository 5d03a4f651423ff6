"""Training of the LSTM: PyTorch under the negative binomial head of GluonTS. The one file that imports them.

An LSTM encodes the history; a small network forecasts every step from that and from what is known of the step. Direct,
not step by step, since errors that are fed back drift (Wen et al., 2017, A Multi-Horizon Quantile Recurrent
Forecaster). The likelihood is that of counts, with the level of the series as its scale (Salinas et al., 2020, DeepAR,
International Journal of Forecasting 36), so a slow mover, or a bucket half on sale, counts for what it tells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from gluonts.torch.distributions import NegativeBinomialOutput
from torch import nn

from models.lstm_net import LARGEST, Doubles, Net, scaled_features, squeezed
from models.lstm_params import LstmParams
from models.lstm_windows import Windows

MAX_GRADIENT = 1.0
WEIGHT_DECAY = 1e-4
LEAST_SPREAD = 1e-3
START = 0.1
"""Share of their usual size with which the weights of the head start."""


def train(windows: Windows, params: LstmParams) -> Net:
    """Return the net learnt from windows: on one thread, in an order drawn by the seed, so always the same one."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(params.seed)
            centre, spread = _scale(windows)
            features = scaled_features(windows.features, centre, spread)
            layers = Layers(windows.context.shape[2], features.shape[2], params)
            _descend(layers, (windows.context, features, windows.units, windows.scale), params)
            return layers.net(centre, spread)
    finally:
        torch.set_num_threads(n_threads)


class Layers:
    """The layers of the net while they learn."""

    def __init__(self, n_channels: int, n_features: int, params: LstmParams) -> None:
        self.head = NegativeBinomialOutput(beta=params.beta)
        self.encoder = nn.LSTM(n_channels, params.n_hidden, batch_first=True)
        self.from_context = nn.Linear(params.n_hidden, params.n_decoder)
        self.from_features = nn.Linear(n_features, params.n_decoder, bias=False)
        self.project = self.head.get_args_proj(params.n_decoder)
        self.bounded, self.dropout = nn.Hardtanh(0.0, LARGEST), nn.Dropout(params.dropout)
        with torch.no_grad():
            # A fresh net forecasts about the level itself: count log 2, odds 1 / log 2.
            count, odds = self.project.proj
            for head in (count, odds):
                head.weight.mul_(START)
            count.bias.zero_()
            odds.bias.fill_(-float(np.log(np.log(2.0))))
        self.learning = nn.ModuleList([self.encoder, self.from_context, self.from_features, self.project])

    def parameters(self, context: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the head's parameters, each of shape (n, k), for contexts (n, n_buckets, C) and features (n, k, F)."""
        state = self.encoder(context)[1][0][-1]
        layer = self.from_features(features) + self.from_context(self.dropout(state))[:, None]
        parameters: tuple[torch.Tensor, ...] = self.project(self.dropout(self.bounded(layer)))
        return parameters

    def net(self, centre: Doubles, spread: Doubles) -> Net:
        """Return what was learnt."""
        encoder, heads = self.encoder, self.project.proj
        return Net(
            input_weight=_array(encoder.weight_ih_l0).T,
            hidden_weight=_array(encoder.weight_hh_l0).T,
            gate_bias=_array(encoder.bias_ih_l0) + _array(encoder.bias_hh_l0),
            context_weight=_array(self.from_context.weight).T,
            feature_weight=_array(self.from_features.weight).T,
            decoder_bias=_array(self.from_context.bias),
            head_weight=np.concatenate([_array(head.weight) for head in heads]).T,
            head_bias=np.concatenate([_array(head.bias) for head in heads]),
            centre=centre,
            spread=spread,
        )


def _descend(layers: Layers, arrays: tuple[npt.NDArray[np.floating], ...], params: LstmParams) -> None:
    """Learn by stochastic gradient descent, with a learning rate that rises and falls once."""
    tensors = [torch.from_numpy(np.ascontiguousarray(array, np.float32)) for array in arrays]
    count = len(tensors[0])
    weights = list(layers.learning.parameters())
    optimiser = torch.optim.AdamW(weights, lr=params.learning_rate, weight_decay=WEIGHT_DECAY)
    total_steps = params.n_epochs * -(-count // params.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, params.learning_rate, total_steps=total_steps)
    for _ in range(params.n_epochs):
        for chosen in torch.randperm(count).split(params.batch):
            context, features, units, scale = (tensor[chosen] for tensor in tensors)
            learnt = scale > 0
            loss = layers.head.loss(units, layers.parameters(context, features), scale=scale.where(learnt, 1.0))
            optimiser.zero_grad()
            ((loss * learnt).sum() / learnt.sum().clamp(min=1)).backward()
            nn.utils.clip_grad_norm_(weights, MAX_GRADIENT)
            optimiser.step()
            schedule.step()


def _scale(windows: Windows) -> tuple[Doubles, Doubles]:
    """Return centre and spread of the features that are learnt from, shape (F,) each."""
    told = squeezed(windows.features[windows.scale > 0])
    known = np.isfinite(told)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, told, 0).sum(axis=0) / count
    squares = np.where(known, (told - centre) ** 2, 0).sum(axis=0) / count
    return centre, np.maximum(np.sqrt(squares), LEAST_SPREAD)


def _array(tensor: torch.Tensor) -> Doubles:
    return np.asarray(tensor.detach().numpy(), np.float64)
