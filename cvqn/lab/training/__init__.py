"""Training: a function of configuration, seed, image list and code, in as many pieces as it takes."""
