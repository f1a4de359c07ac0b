"""One module per figure: `draw(sources, output)` writes it as SVG and PNG, with its numbers as CSV."""
