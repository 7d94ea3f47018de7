"""Anomaly detection: searches without a signal model, with CWoLa, ANODE, CATHODE and autoencoders."""
