"""Classification: from the likelihood ratio to trees, networks, density ratios and backgrounds from data."""
