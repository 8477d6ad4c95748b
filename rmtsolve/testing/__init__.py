"""Property-testing kit: checks and Hypothesis strategies for laws, equations, ensembles, activations and solvers."""
