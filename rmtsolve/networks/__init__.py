"""What ensembles say about neural networks."""
