"""A recurrent network that reads the tracks of a jet one after the other."""

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from hepml_labs.nn import MLP, check_mask
from hepml_labs.validation import check_array, check_count

__all__ = ["RecurrentTagger"]


class RecurrentTagger(nn.Module):
    """Long short-term memory on a sequence of tracks, and a network on its last state.

    The order matters: the tracks with the largest impact parameters come first, so that their correlations are seen
    before the memory fills with others.

    Parameters
    ----------
    inputs, outputs : int
        Features of a track; logits of a jet.
    width : int
        Numbers in the memory.

    Raises
    ------
    ValueError
        If a size is below one, shapes do not fit, or the padding does not come last.

    Notes
    -----
    As ATLAS' RNNIP :cite:`atlas2017recurrent`; the memory is that of Hochreiter and Schmidhuber.

    Examples
    --------
    >>> import torch
    >>> mask = torch.tensor([[True, True, True], [True, False, False]])
    >>> RecurrentTagger(inputs=14)(torch.zeros(2, 3, 14), mask).shape
    torch.Size([2, 3])
    """

    def __init__(self, inputs, outputs=3, width=32):
        super().__init__()
        for name, value in {"inputs": inputs, "outputs": outputs, "width": width}.items():
            check_count(name, value)
        self.inputs = inputs
        self.memory = nn.LSTM(inputs, width, batch_first=True)
        self.head = MLP(width, outputs, (width,))

    def forward(self, tracks, mask):
        """Map tracks ``(n, tracks, inputs)`` with a mask ``(n, tracks)`` to logits ``(n, outputs)``."""
        check_array("tracks", tracks, ("n", "tracks", self.inputs), finite=False)
        check_mask(mask, tracks.shape[:2])
        if (mask[:, 1:] & ~mask[:, :-1]).any():
            raise ValueError("mask: found a track behind padding, expected the padding at the end")
        sequence = pack_padded_sequence(tracks, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        _, (state, _) = self.memory(sequence)
        return self.head(state[0])
