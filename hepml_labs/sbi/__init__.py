"""Simulation-based inference: estimators of the likelihood ratio and the score that mine the simulator."""
