"""One module per table: `table(sources)` makes it, `page(table, sources)` gives it as Markdown."""
