"""Functions of a Gaussian variable: Hermite expansions, exact and certified."""
