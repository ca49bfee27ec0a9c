"""Reports of runs, grids and experiments: text, Markdown, JSON, CSV and pictures."""
