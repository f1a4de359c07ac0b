"""Training, which depends only on settings, seed, images and code, however often it is interrupted."""
