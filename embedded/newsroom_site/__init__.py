"""What the local newsroom prints: outlets, stories, templates and what newswatch should make of each.

`stories/*.md` are Markdown under YAML front matter, `outlets.yaml` says who prints them and how, `templates/` how it
looks. All of it was written for this project and is invented, save for what the story of 25 May 2017 reports.
"""
