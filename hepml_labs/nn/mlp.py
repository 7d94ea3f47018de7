"""The multi-layer perceptron."""

from torch import nn

from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["MLP"]


class MLP(nn.Sequential):
    """Fully connected network: linear layers with an activation in between, the last layer linear.

    Parameters
    ----------
    inputs : int
        Number of input features.
    outputs : int
        Number of outputs.
    hidden : tuple of int
        Widths of the hidden layers; an empty tuple makes a linear model.
    activation : class
        Module class of the activation, made anew after each hidden layer.
    dropout : float
        Probability to drop a hidden unit in training, in [0, 1).

    Raises
    ------
    ValueError
        If a width is no positive whole number, `dropout` is outside of [0, 1), or the input of the forward
        pass does not end in `inputs` features.

    Notes
    -----
    Shapes: ``(..., inputs)`` to ``(..., outputs)``. Each hidden layer computes g(W x + b), see
    Plehn et al., arXiv:2211.01421, section 1.2.

    Examples
    --------
    >>> import torch
    >>> MLP(3, 1, hidden=(16, 16))(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
    """

    def __init__(self, inputs, outputs, hidden=(64, 64, 64), activation=nn.SiLU, dropout=0.0):
        for name, size in [
            ("inputs", inputs),
            ("outputs", outputs),
            *(("hidden", width) for width in hidden),
        ]:
            check_count(name, size)
        check_between("dropout", dropout, 0, 1, include_low=True)
        layers = []
        size = inputs
        for width in hidden:
            layers += [nn.Linear(size, width), activation()]
            if dropout:
                layers.append(nn.Dropout(dropout))
            size = width
        super().__init__(*layers, nn.Linear(size, outputs))
        self.inputs = inputs

    def forward(self, x):
        """Map features ``(..., inputs)`` to outputs ``(..., outputs)``."""
        check_array("x", x, (..., self.inputs), finite=False)
        return super().forward(x)
