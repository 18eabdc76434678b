"""What newswatch gets right, measured on labelled data: `make evaluate` writes `docs/evaluation.md` and its JSON twin.

`labels` joins the committed labels with the texts beside the project. `tags`, `sentences`, `searches`, `extraction`,
`duplicates`, `stories` and `languages` each return figures. `floors` refuses a drop, `report` renders the page. Only
`__main__` writes files.
"""
