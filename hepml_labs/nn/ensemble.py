"""Many networks of one architecture, trained and evaluated as one."""

import copy

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from hepml_labs.validation import check_count

__all__ = ["Ensemble", "bootstrap_counts"]


class Ensemble(nn.Module):
    """Networks of one architecture with stacked parameters, so that one call trains or evaluates them all.

    Parameters
    ----------
    build : callable
        ``build()`` returns a network that maps (n, inputs) to (n, outputs).
    members : int
        Number of networks.
    seed : int
        Member m starts from the weights that ``torch.manual_seed(seed + m); build()`` gives.

    Raises
    ------
    ValueError
        If `members` is not positive.

    Notes
    -----
    Lakshminarayanan, Pritzel and Blundell, arXiv:1612.01474. A loss that is summed over the members gives each of
    them the gradient that it would have alone. :func:`torch.func.vmap` turns one small matrix product
    per member into one batched product.

    Examples
    --------
    >>> ensemble = Ensemble(lambda: nn.Linear(3, 2), members=5)
    >>> ensemble(torch.zeros(10, 3)).shape
    torch.Size([5, 10, 2])
    """

    def __init__(self, build, members, seed=0):
        super().__init__()
        check_count("members", members)
        networks = []
        with torch.random.fork_rng(devices=[]):
            for member in range(members):
                torch.manual_seed(seed + member)
                networks.append(build())
        parameters, buffers = stack_module_state(networks)
        # the name of a parameter may not hold a dot
        self.stacked = nn.ParameterDict({name.replace(".", "/"): value for name, value in parameters.items()})
        for name, value in buffers.items():
            self.register_buffer(name.replace(".", "/"), value)
        # in a list, so that the template's own weights are no parameters of the ensemble
        self._template = [networks[0].to("meta")]
        self.members = members

    def _state(self):
        return {name.replace("/", "."): value for name, value in (*self.stacked.items(), *self._buffers.items())}

    def forward(self, x, own_inputs=False):
        """Evaluate all members.

        Parameters
        ----------
        x : tensor of shape (n, inputs), or (members, n, inputs) with `own_inputs`
            Inputs.
        own_inputs : bool
            Whether member m sees ``x[m]`` only, its own data; else all see the same.

        Returns
        -------
        tensor of shape (members, n, outputs)
            Networks that draw random numbers (dropout, Bayesian layers) draw different ones for each member.
        """
        self._template[0].train(self.training)

        def one_member(state, x):
            return functional_call(self._template[0], state, (x,))

        return vmap(one_member, in_dims=(0, 0 if own_inputs else None), randomness="different")(self._state(), x)

    def member(self, index):
        """Take one network out: a copy of its own, on the device of the ensemble.

        Parameters
        ----------
        index : int
            From 0 to members - 1.

        Returns
        -------
        torch.nn.Module
            As `build` made it, with the weights that it has now.
        """
        state = {name: value[index] for name, value in self._state().items()}
        first = next(iter(state.values()))
        network = copy.deepcopy(self._template[0]).to(first.dtype).to_empty(device=first.device)
        with torch.no_grad():
            for name, value in (*network.named_parameters(), *network.named_buffers()):
                value.copy_(state[name])
        return network.train(self.training)


def bootstrap_counts(n, members, seed=0):
    """How often each of n points is drawn in each of `members` bootstrap samples.

    Parameters
    ----------
    n, members : int
        Number of points and of bootstrap samples.
    seed : int or numpy.random.Generator
        Source of the draws.

    Returns
    -------
    tensor of shape (n, members)
        Counts as float32; each column sums to n.

    Raises
    ------
    ValueError
        If `n` or `members` is not positive.

    Examples
    --------
    >>> bootstrap_counts(100, members=3).sum(dim=0)
    tensor([100., 100., 100.])
    """
    check_count("n", n)
    check_count("members", members)
    rng = np.random.default_rng(seed)
    counts = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(members)]
    return torch.from_numpy(np.stack(counts, axis=1)).float()
