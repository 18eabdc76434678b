"""The content of the local newsroom: outlets, stories, templates, and what newswatch should make of each.

`stories/*.md` are Markdown under YAML front matter, `outlets.yaml` says who prints them and how, and `templates/` how
they look. All of it was written for this project and is invented, except what the story of 25 May 2017 reports.
"""
