"""Section 3 of the paper: encoder and decoder, quantizer, channel importance, controller, context model, loss."""
