"""Our estimators beside MadMiner's: the same network, events, epochs and batches, one thread, one run.

Run with ``python benchmarks/sbi.py`` (``pip install madminer``). Prints, for each method, the CPU time of both
trainings, their ratio, and the mean squared error against the exact result of the toy, inside the training range.
MadMiner loads its batches without worker processes, so that the time is all there is. Asserts nothing.
"""

import argparse
import logging
import time

import numpy as np
import torch
from madminer.ml import ParameterizedRatioEstimator
from madminer.ml import ScoreEstimator as MadMinerScore

from hepml_labs.sbi.estimators import RatioEstimator, ScoreEstimator
from hepml_labs.sbi.toy import ToySimulator

RANGE = 4.0


def timed(call):
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def ratios(method, sample, arguments):
    """Train both, return a function (x, theta) -> log ratio and the CPU time for each."""
    activation = arguments.activation
    ours = RatioEstimator(
        method, hidden=tuple(arguments.hidden), activation=activation, validation_fraction=0.0, epochs=arguments.epochs,
        batch_size=arguments.batch_size, learning_rate=1e-3, seed=arguments.seed,
    )  # fmt: skip
    _, our_time = timed(lambda: ours.fit(sample))
    torch.manual_seed(arguments.seed)
    theirs = ParameterizedRatioEstimator(n_hidden=tuple(arguments.hidden), activation=activation)
    _, their_time = timed(
        lambda: theirs.train(
            method, x=sample.x, theta=sample.theta, y=1 - sample.label[:, None], r_xz=np.exp(sample.log_ratio)[:, None],
            t_xz=sample.score, n_epochs=arguments.epochs, batch_size=arguments.batch_size, validation_split=None,
            early_stopping=False, scale_parameters=True, alpha=1.0, n_workers=0,
        )
    )  # fmt: skip
    return (ours.log_ratio, our_time), (lambda x, theta: theirs.evaluate(x, theta)[0], their_time)


def scores(x, joint_score, arguments):
    """As `ratios`, for the score at theta = 0."""
    options = {"epochs": arguments.epochs, "batch_size": arguments.batch_size, "learning_rate": 1e-3}
    ours = ScoreEstimator(tuple(arguments.hidden), validation_fraction=0.0, seed=arguments.seed, **options)
    _, our_time = timed(lambda: ours.fit(x, joint_score))
    torch.manual_seed(arguments.seed)
    theirs = MadMinerScore(n_hidden=tuple(arguments.hidden), activation=arguments.activation)
    _, their_time = timed(
        lambda: theirs.train(
            "sally", x=x, t_xz=joint_score, n_epochs=arguments.epochs, batch_size=arguments.batch_size,
            validation_split=None, early_stopping=False, n_workers=0,
        )
    )  # fmt: skip
    return (ours.score, our_time), (theirs.evaluate_score, their_time)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="*", default=["carl", "alice", "cascal", "alices", "sally"])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--hidden", type=int, nargs="*", default=[64, 64])
    parser.add_argument("--activation", default="tanh", choices=("tanh", "silu"), help="MadMiner knows tanh only")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("madminer").setLevel(logging.ERROR)

    toy = ToySimulator()
    sample = toy.training_sample(arguments.events, -RANGE, RANGE, seed=arguments.seed)
    at_zero, latent = toy.sample(0.0, arguments.events, seed=arguments.seed)
    x, theta, truth = toy.tutorial_test(seed=arguments.seed + 1)
    inside = np.abs(theta[:, 0]) <= RANGE
    theta, truth = theta[inside], truth[inside]
    print("method   CPU time, ours and MadMiner's   ratio   mean squared error, ours and MadMiner's   between the two")
    for method in arguments.methods:
        if method == "sally":
            pair = scores(at_zero, toy.joint_score(latent, 0.0), arguments)
            found, exact = [evaluate(x) for evaluate, _ in pair], toy.score(x, 0.0)
        else:
            pair = ratios(method, sample, arguments)
            found, exact = [evaluate(x, theta) for evaluate, _ in pair], truth
        ours, theirs = (((values - exact) ** 2).mean() for values in found)
        our_time, their_time = (seconds for _, seconds in pair)
        print(
            f"{method:8s} {our_time:7.2f} s   {their_time:7.2f} s {their_time / our_time:16.1f}"
            f" {ours:12.2e} {theirs:12.2e} {((found[0] - found[1]) ** 2).mean():25.2e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
