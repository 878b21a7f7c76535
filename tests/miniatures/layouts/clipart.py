from pathlib import Path

from tests.miniatures.layouts import noise

SVG = """<svg xmlns="http://www.w3.org/2000/svg"><metadata>
<rdf:RDF xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"
         xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<cc:Work rdf:about=""><dc:title>{title}</dc:title>
<dc:publisher><cc:Agent><dc:title>The publisher</dc:title></cc:Agent></dc:publisher>
<dc:creator><cc:Agent><dc:title>{creator}</dc:title></cc:Agent></dc:creator>
<cc:license rdf:resource="{licence}"/></cc:Work></rdf:RDF></metadata><path d="M 0,0"/></svg>"""
PUBLIC = "http://web.resource.org/cc/PublicDomain"


def write(root: Path) -> None:
    for seed, category in enumerate(("animals", "animals/birds", "food", "people") * 5):
        name = f"{category}/drawing_{seed}"
        noise(root / f"png/{name}.png", seed)
        svg = root / f"svg/{name}.svg"
        svg.parent.mkdir(parents=True, exist_ok=True)
        # Drawing 6 states no licence, and 9 is damaged.
        drawing = SVG.format(title=f"Drawing {seed}", creator=f"Author {seed}", licence="" if seed == 6 else PUBLIC)
        svg.write_text(drawing[: 40 if seed == 9 else None], encoding="utf-8")
