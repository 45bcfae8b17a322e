"""A report as Markdown and HTML."""
