"""Regression: from a fit to a loss, amplitudes, uncertainties and calibration."""
