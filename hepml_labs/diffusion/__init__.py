"""Generators that undo noise, and their relatives: VAE, GAN, diffusion, flow matching and autoregressive networks."""
