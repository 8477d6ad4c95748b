"""Random-matrix models: an equation and a sampler on one object."""
