"""Physics that the labs stand on: four-vectors, phase space, matrix elements, detector response."""
