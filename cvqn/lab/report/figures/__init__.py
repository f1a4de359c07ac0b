"""One module a figure: from files to svg, png and the data drawn as csv."""
