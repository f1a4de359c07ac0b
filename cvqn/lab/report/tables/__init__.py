"""One module per table: `table(sources)` makes it, `page(table, sources)` says it in Markdown."""
