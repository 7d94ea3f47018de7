"""Top tagging: jets as images, sets, graphs, sequences and four-vectors, and the networks that read them."""
