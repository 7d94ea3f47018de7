"""What is pretraining without labels worth to a top tagger with few labels, at the scale of a laptop?

Run with ``python benchmarks/pretraining.py [--jets 20000] [--epochs 6]``. One small transformer on the 24 hardest
constituents is trained to fill in hidden particles, or to recognise two views of a jet, on jets without labels. Then it
is tuned for tops with a few hundred labels, and, frozen, probed by one linear layer. Beside it stands the same network
without pretraining. Printed are areas under the ROC curve on 8000 test jets, for two disjoint sets of labels, and the
CPU seconds of the pretraining; asserts nothing.
"""

import argparse
import copy
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hepml_labs.datasets import load
from hepml_labs.evaluation import area_under_curve
from hepml_labs.top_tagging.augmentation import turned
from hepml_labs.top_tagging.inputs import momentum_shares, real_particles, relative_angles
from hepml_labs.top_tagging.self_supervised import contrastive_loss, hide_particles, masked_loss
from hepml_labs.training import fit, predict

PARTICLES, WIDTH = 24, 48


def read(split, n):
    """Angles, momentum shares, mask and label of jets."""
    data = load("top_tagging", split=split, n=n)
    momenta = torch.as_tensor(data["constituents"][:, :PARTICLES])
    label = torch.as_tensor(data["is_top"]).float()
    return relative_angles(momenta).float(), momentum_shares(momenta).float(), real_particles(momenta), label


def features(angles, shares, mask):
    """Four numbers for each particle, of order one."""
    log_share = (shares.clamp(min=1e-4).log() + 4) * 0.7
    return torch.cat([4 * angles, log_share[..., None], 4 * angles.norm(dim=-1, keepdim=True)], -1) * mask[..., None]


class Encoder(nn.Module):
    """A transformer of three layers; hidden particles are replaced by a learned row."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(4, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.unknown = nn.Parameter(torch.zeros(WIDTH))
        self.place = nn.Parameter(0.1 * torch.randn(PARTICLES, WIDTH))  # the order in pT, which names hidden particles
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x, mask, hidden=None):
        rows = self.embed(x) + self.place
        if hidden is not None:
            rows = torch.where(hidden[..., None], self.unknown + self.place, rows)
        return self.norm(self.blocks(rows, src_key_padding_mask=~mask))


class Tagger(nn.Module):
    """Mean and maximum over the encoded particles, and one linear layer."""

    def __init__(self, encoder, frozen=False):
        super().__init__()
        self.encoder, self.head = encoder.requires_grad_(not frozen), nn.Linear(2 * WIDTH, 1)

    def pooled(self, x, mask):
        rows = self.encoder(x, mask) * mask[..., None]
        mean = rows.sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return torch.cat([mean, rows.masked_fill(~mask[..., None], -9.0).amax(dim=1)], dim=-1)

    def forward(self, x, mask):
        return self.head(self.pooled(x, mask))[:, 0]


def fill_in(encoder, jets, **options):
    """Pretrain by predicting angles and share of hidden particles."""
    x, mask = features(*jets[:3]), jets[2]
    answer = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 3))

    def loss(model, x, mask):
        hidden = hide_particles(mask)
        return masked_loss(model[1](model[0](x, mask, hidden)), x[..., :3], hidden)

    fit(nn.ModuleList([encoder, answer]), loss, (x, mask), batch_size=128, **options)


def view(angles, shares, mask):
    """Turn, shift and blur a jet, and drop some soft particles."""
    angles = turned(angles) + 0.03 * torch.randn(len(angles), 1, 2, device=angles.device)
    blur = 0.01 / (100 * shares[..., None] + 0.1)
    kept = mask & ~((torch.rand_like(shares) < 0.15) & (shares < 0.02))
    return features(angles + blur * torch.randn_like(angles), shares, kept), kept


def recognise(encoder, jets, **options):
    """Pretrain by finding the second view of each jet."""
    project = nn.Sequential(nn.Linear(2 * WIDTH, 64), nn.GELU(), nn.Linear(64, 32))

    def loss(model, *jets):
        return contrastive_loss(*(model[1](model[0].pooled(*view(*jets))) for _ in range(2)))

    fit(nn.ModuleList([Tagger(encoder), project]), loss, jets[:3], batch_size=256, **options)


def area(encoder, train, test, rows, frozen):
    """Tune on a few labels, and return the area under the ROC curve."""
    torch.manual_seed(0)
    tagger = Tagger(copy.deepcopy(encoder), frozen)
    few = tuple(column[rows] for column in (features(*train[:3]), train[2], train[3]))
    rate, epochs = (1e-2, 20) if frozen else (1e-3, max(20, 12_000 // len(rows)))

    def loss(model, x, mask, label):
        return F.binary_cross_entropy_with_logits(model(x, mask), label)

    fit(tagger, loss, few, epochs=epochs, batch_size=64, learning_rate=rate, schedule="one-cycle", progress=False)
    score = predict(tagger, features(*test[:3]), test[2]).numpy()
    return area_under_curve(test[3].numpy().astype(int), score).value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jets", type=int, default=20_000, help="jets without labels")
    parser.add_argument("--epochs", type=int, default=6, help="of the pretraining")
    arguments = parser.parse_args()
    train, test = read("train", arguments.jets), read("test", 8000)
    options = {"epochs": arguments.epochs, "learning_rate": 2e-3, "schedule": "one-cycle", "gradient_clip": 1.0}
    print(f"{'pretraining':12s} CPU s   probe, 1000 labels   300 labels        1000 labels")
    for name, pretrain in (("none", None), ("fill in", fill_in), ("recognise", recognise)):
        torch.manual_seed(0)
        encoder, start = Encoder(), time.process_time()
        if pretrain:
            pretrain(encoder, train, progress=False, **options)
        seconds = time.process_time() - start
        sets = [(n, [np.arange(k * n, (k + 1) * n) for k in range(2)]) for n in (300, 1000)]
        found = {n: [area(encoder, train, test, rows, frozen=False) for rows in both] for n, both in sets}
        probe = area(encoder, train, test, sets[1][1][0], frozen=True)
        values = "   ".join(" ".join(f"{value:.4f}" for value in found[n]) for n, _ in sets)
        print(f"{name:12s} {seconds:5.0f}   {probe:.4f}               {values}", flush=True)


if __name__ == "__main__":
    main()
