"""Time the taggers, forward and backward, on bundled top and QCD jets, beside their peers where those are installed.

Run with ``python benchmarks/taggers.py``; ``--models lorentznet pelican`` picks some, ``--jets 64`` the batch. Peers:
weaver-core (ParticleNet, Particle Transformer), lgatr, pelican-lite; and for LorentzNet, which is no package, the
authors' formulas on explicit lists of edges. Each is of the same size as ours, and has the same weights where the two
are the same function (not pelican-lite, whose normalisation is of another kind; for the Particle Transformer the test
beside weaver-core copies them).
"Padded" is our network with the whole batch padded to its largest jet. Prints milliseconds of CPU time per jet, the
best of some rounds in which all the variants take turns; asserts nothing. tests/top_tagging shows that the outputs
agree.
"""

import argparse
import copy
import time

import torch
from lgatr.primitives.config import PrimitivesConfig
from torch import nn

from hepml_labs.datasets import load
from hepml_labs.physics.kinematics import minkowski_product
from hepml_labs.top_tagging.lgatr_tagger import UNIT
from hepml_labs.top_tagging.lorentz_net import BEAMS, mass_above_rounding, psi
from hepml_labs.top_tagging.taggers import TAGGERS, Tagger


class EdgeLists(nn.Module):
    """LorentzNet with our weights, computed as its authors do: tensors of all edges, first layer and all."""

    def __init__(self, network):
        super().__init__()
        self.net = network

    def forward(self, momenta, mask):
        net, beams = self.net, momenta.new_tensor(BEAMS).expand(len(momenta), 2, 4)
        x = torch.cat([beams, momenta], 1)
        mask = torch.cat([mask.new_ones(len(mask), 2), mask], 1)
        n, p = mask.shape
        edges = (mask[:, :, None] & mask[:, None] & ~torch.eye(p, dtype=torch.bool)).nonzero()
        i, j = edges[:, 0] * p + edges[:, 1], edges[:, 0] * p + edges[:, 2]
        mass = psi(mass_above_rounding(x))
        is_beam = torch.arange(p) < 2
        features = torch.stack([mass * ~is_beam, mass * is_beam], -1).flatten(0, 1)
        x, h = x.flatten(0, 1), net.embedding(features)
        for block in net.blocks:
            difference = x[i] - x[j]
            invariants = psi(torch.stack([minkowski_product(difference, difference), minkowski_product(x[i], x[j])], 1))
            weight = torch.cat([block.of_i.weight, block.of_j.weight, block.of_invariants.weight], 1)
            m = block.norm(torch.cat([h[i], h[j], invariants], 1) @ weight.T).relu()
            m = block.message(m).relu()
            m = m * block.weight(m).sigmoid()
            if not block.last:
                shift = difference * block.phi_x[1](block.phi_x[0](m).relu())
                degree = torch.zeros_like(x).index_add(0, i, torch.ones_like(shift)).clamp(min=1)
                x = x + block.step * torch.zeros_like(x).index_add(0, i, shift) / degree
            summed = torch.zeros_like(h).index_add(0, i, m)
            h = h + block.phi_h(torch.cat([h, summed, features], 1))
        pooled = (h * mask.flatten()[:, None]).unflatten(0, (n, p)).sum(1) / mask.sum(1, keepdim=True)
        return net.output(net.hidden(pooled).relu())


class PelicanLite(nn.Module):
    """The PELICAN of pelican-lite in the size of ours, on the matrices of all real pairs."""

    def __init__(self, network):
        super().__init__()
        from pelican.nets import PELICAN

        width, layers = network.layers[0].message.dense.out_features, len(network.layers)
        self.net = PELICAN(1, 1, 0, 0, 1, num_blocks=layers, hidden_channels=width, factorize=True, activation="relu")

    def forward(self, momenta, mask):
        beams = momenta.new_tensor([[1.0, 0, 0, 1], [1, 0, 0, -1]]).expand(len(mask), 2, 4)
        momenta = torch.cat([momenta, beams], 1)
        mask = torch.cat([mask, mask.new_ones(len(mask), 2)], 1)
        place = (mask.flatten().cumsum(0) - 1).view(mask.shape)
        jet, i, j = (mask[:, :, None] & mask[:, None]).nonzero().T
        products = minkowski_product(momenta[jet, i], momenta[jet, j]).abs().log1p()[:, None]
        tag = torch.zeros_like(momenta[..., :1])
        tag[:, -2:] = 1
        owner = mask.nonzero()[:, 0]
        edges = torch.stack([place[jet, i], place[jet, j]])
        return self.net(edges, owner, in_rank2=products, in_rank1=tag[mask], num_graphs=len(mask))


def weaver_particle_net(network):
    from weaver.nn.model.ParticleNet import ParticleNet

    widths = [tuple(norm.num_features for norm in layer.norms) for layer in network.convolutions]
    blocks = list(zip(network.neighbors, widths, strict=True))
    hidden = 128 if len(blocks) == 2 else 256
    peer = ParticleNet(7, 1, conv_params=blocks, fc_params=[(hidden, 0.1)], use_fusion=False)
    peer.bn_fts.load_state_dict(network.norm.state_dict())
    with torch.no_grad():
        for ours, theirs in zip(network.convolutions, peer.edge_convs, strict=True):
            first = torch.cat([ours.center.weight, ours.difference.weight], 1)
            for layer, weight in zip(theirs.convs, [first, *(linear.weight for linear in ours.layers)], strict=True):
                layer.weight.copy_(weight[:, :, None, None])
            theirs.sc.weight.copy_(ours.shortcut[0].weight[:, :, None])
        for theirs, ours in zip(peer.fc.parameters(), network.head.parameters(), strict=True):
            theirs.copy_(ours)
    return lambda points, features, mask: peer(points.mT, features.mT, mask[:, None]), peer


def weaver_transformer(network):
    from weaver.nn.model.ParticleTransformer import ParticleTransformer

    widths = tuple(layer.out_features for layer in network.embedding if isinstance(layer, nn.Linear))
    pairs = tuple(m.out_channels if hasattr(m, "out_channels") else m.out_features
                  for m in network.pair_embedding if hasattr(m, "weight") and m.weight.ndim > 1)  # fmt: skip
    peer = ParticleTransformer(
        7, 1, embed_dims=widths, pair_embed_dims=pairs[:-1], num_heads=network.heads, num_layers=len(network.blocks),
        num_cls_layers=len(network.class_blocks), use_pre_activation_pair=False,
    )  # fmt: skip
    return lambda features, momenta, mask: peer(features.mT, momenta[..., [1, 2, 3, 0]].mT, mask[:, None]), peer


def lgatr_itself(network):
    """The network of lgatr inside ours as it is by default, fed with the padded batch as its authors' examples do."""
    peer = copy.deepcopy(network)
    for module in peer.modules():
        if hasattr(module, "primitives"):
            module.primitives = PrimitivesConfig()
    return lambda momenta, mask: peer._padded(momenta / UNIT, mask), peer


def _module(build):
    def make(network):
        peer = build(network)
        return peer, peer

    return make


PEERS = {
    "particlenet": ("weaver-core", weaver_particle_net),
    "particlenet-lite": ("weaver-core", weaver_particle_net),
    "part": ("weaver-core", weaver_transformer),
    "part-small": ("weaver-core", weaver_transformer),
    "lorentznet": ("edge lists", _module(EdgeLists)),
    "lorentznet-small": ("edge lists", _module(EdgeLists)),
    "pelican": ("pelican-lite", _module(PelicanLite)),
    "pelican-small": ("pelican-lite", _module(PelicanLite)),
    "lgatr": ("lgatr", lgatr_itself),
    "lgatr-slim": ("lgatr", lgatr_itself),
}


def milliseconds(call, parameters, jets):
    for parameter in parameters:
        parameter.grad = None
    start = time.process_time()
    call().square().mean().backward()
    return 1e3 * (time.process_time() - start) / jets


def compare(name, momenta, rounds):
    """Best times of ours, ours padded and the peer; nan where there is none."""
    torch.manual_seed(0)
    tagger = Tagger(name)
    inputs, network = tagger.inputs(momenta), tagger.network
    variants = {"ours": (lambda: network(*inputs), network)}
    if hasattr(network, "buckets"):
        padded = copy.deepcopy(network)
        padded.buckets = 1
        variants["padded"] = (lambda: padded(*inputs), padded)
    peer_name, build = PEERS.get(name, ("", None))
    if build:
        try:
            peer, module = build(network if name.startswith("lgatr") else copy.deepcopy(network))
            variants["peer"] = (lambda: peer(*inputs), module)
        except ImportError:
            peer_name += " (not installed)"
    times = {kind: [] for kind in ("ours", "padded", "peer")}
    for _ in range(rounds):
        for kind, (call, module) in variants.items():
            times[kind].append(milliseconds(call, module.parameters(), len(momenta)))
    best = {kind: min(values, default=float("nan")) for kind, values in times.items()}
    return best, peer_name, sum(parameter.numel() for parameter in network.parameters())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", default=list(TAGGERS), choices=list(TAGGERS))
    parser.add_argument("--jets", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    momenta = torch.as_tensor(load("top_tagging", "validation", n=options.jets)["constituents"])
    count = (momenta[..., 0] > 0).sum(1).float()
    print(f"{options.jets} jets, {count.mean():.1f} constituents on average, {(count**2).mean():.0f} pairs; "
          f"longest {int(count.max())}; ms per jet, forward and backward, one thread")  # fmt: skip
    print(f"{'model':18}{'parameters':>11}{'ours':>9}{'padded':>9}{'peer':>9}{'peer/ours':>11}  peer")
    for name in options.models:
        best, peer, parameters = compare(name, momenta, options.rounds)
        ratio = best["peer"] / best["ours"]
        columns = "".join(f"{value:9.2f}" if value == value else f"{'-':>9}" for value in best.values())
        print(f"{name:18}{parameters:11,}{columns}{f'{ratio:.1f}' if ratio == ratio else '-':>11}  {peer}", flush=True)


if __name__ == "__main__":
    main()
