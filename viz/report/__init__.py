"""Everything that leaves: one designed page of a result, as SVG, as HTML and in a notebook, drawn without a browser.

`case` gathers what belongs on it (input, answer, truth, receipt, where it comes from), `drawn_map` draws the map,
`plotted` any other figure, `sheet` the page as one picture, `page` the page as HTML that prints.
"""
