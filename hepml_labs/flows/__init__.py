"""Normalising flows: densities that can be evaluated and sampled, and what physicists do with them."""
