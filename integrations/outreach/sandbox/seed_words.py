"""Seed words: names, titles and signatures of an invented company.

Nobody here exists; addresses end in example domains.
"""

from __future__ import annotations

FIRST_NAMES = """
Amara Anders Beatriz Bram Camille Chidi Daphne Deniz Edie Emeka Fatima Felix Greta Gwen Hana Harvey
Ines Ivo Jonah Julia Kaito Karin Lars Leila Mara Mateo Nadia Niall Odile Omar Paloma Priya Quentin
Rosa Rufus Sanna Soraya Tariq Tess Ugo Uma Viktor Vera Wanda Wes Xenia Yannick Yusuf Zadie Zoran
"""

LAST_NAMES = """
Abara Albrecht Bakker Bergqvist Castellanos Chandra Dahl Delacroix Eastwood Eriksen Farrow Fontaine
Gallagher Grimaldi Hallström Hernández Iwasaki Ibsen Jansen Jankowski Kaplan Kowalczyk Lindgren
Lozano Marchetti Mwangi Nakamura Novak Okafor Olsen Pereira Petrov Quispe Quist Rasmussen Rinaldi
Sato Schreiber Takahashi Thornbury Ueda Urquhart Vance Verhoeven Walsh Weatherby Xanthou Yamada
Zapata Zielinski
"""

TITLES = (
    "Account Executive",
    "Senior Account Executive",
    "Enterprise Account Executive",
    "Sales Development Representative",
    "Business Development Representative",
    "Account Manager",
    "Customer Success Manager",
    "Sales Engineer",
    "Solutions Consultant",
    "Regional Sales Director",
    "Partner Manager",
    "Renewals Specialist",
)

TEAM_NAMES = (
    "Enterprise EMEA",
    "Enterprise Americas",
    "Mid-Market North",
    "Mid-Market South",
    "Commercial UK & Ireland",
    "Commercial DACH",
    "SDR Inbound",
    "SDR Outbound",
    "Customer Success",
    "Renewals",
    "Solutions Engineering",
    "Partnerships",
    "Public Sector",
    "Strategic Accounts",
    "Commercial Nordics",
    "Japan & APAC",
)

COLORS = ("#5951ff", "#0f7b6c", "#d9730d", "#ad1a72", "#0b6e99", "#6940a5", "#64473a", "#dfab01")

# (first name, last name, local part, title): names and titles that reveal errors in code. They come
# straight after the administrators, so that even a small company has most of them.
AWKWARD_PEOPLE: tuple[tuple[str, str, str, str | None], ...] = (
    ("Siobhán", "O'Connell", "siobhan.oconnell", "Head of Sales, UK & Ireland"),
    ("José María", "Núñez", "jose.nunez", "Director — Américas"),
    ("نور", "الخطيب", "nour.alkhatib", "Account Executive"),
    ("יעל", "בן־דוד", "yael.bendavid", "Sales Engineer"),
    ("Bob", "Tables", "bob.tables", "Senior <b>Closer</b>"),
    ("Tia", "Merge", "tia.merge", "Rep for {{first_name}}"),
    ("Anne-Sophie", "D'Arc & Sons", "anne-sophie.darc", 'Lead "Growth" & Partnerships'),
    ("李", "小龙", "xiaolong.li", "客户经理"),
    ("Nadia", "O\u2019Hara-Świątek", "nadia.ohara", None),
    ("X Æ", "Łuczak", "x.luczak", "R&D / Pre-Sales"),
    ("Max", "Formula", "max.formula", '=HYPERLINK("http://x.example","Sales")'),
    ("Long", "Title", "long.title", "Executive " * 24 + "Vice President"),
    ("Zero", "Width", "zero.width", "Account\u200b Executive\u202e"),
    ("Trailing ", " Space", "trailing.space", "  Account Manager  "),
)

COMPANIES = (
    ("Northwind Freight", "northwind-freight.example", "Logistics"),
    ("Halcyon Biolabs", "halcyon-bio.example", "Biotechnology"),
    ("Brightwater Bank", "brightwater.example", "Banking"),
    ("Umber & Oak", "umber-oak.example", "Furniture"),
    ("Polar Grid", "polargrid.example", "Energy"),
    ("Cobalt Schools", "cobalt-schools.example", "Education"),
    ("Meridian Hotels", "meridian-hotels.example", "Hospitality"),
    ("Quill Insurance", "quill-insurance.example", "Insurance"),
)

PROSPECT_TITLES = (
    "Chief Financial Officer",
    "VP Operations",
    "Head of Procurement",
    "IT Director",
    "Marketing Manager",
    "Founder & CEO",
)

PLACES = (
    ("EMEA", "London", "United Kingdom", "Europe/London"),
    ("EMEA", "Zürich", "Switzerland", "Europe/Zurich"),
    ("Americas", "São Paulo", "Brazil", "America/Sao_Paulo"),
    ("Americas", "Denver", "United States", "America/Denver"),
    ("APAC", "Ōsaka", "Japan", "Asia/Tokyo"),
)

TAGS = ("webinar-2026", "customer", "vip", "do not demo", "renewal Q4", "R&D")

# Earlier signatures of sales people: pasted from mail programs, some with broken markup.
OLD_SIGNATURES = (
    "<p>Best regards,<br>{name}<br>{title} | {company}</p>",
    '<div dir="ltr"><b>{name}</b><div style="color:#666666;font-size:12px">{title}</div>'
    '<div><a href="https://www.{domain}/" target="_blank">www.{domain}</a></div></div>',
    '<table cellpadding="0" cellspacing="0"><tr><td style="border-right:2px solid #1f6feb;padding-right:8px">'
    '<img src="https://www.{domain}/logo.png" width="64" alt="{company}"></td><td style="padding-left:8px">'
    '<span style="font-family:Arial;font-size:13px"><strong>{name}</strong><br>{title}</span></td></tr>'
    "</table>",
    "<p class=MsoNormal><span style='font-size:10.0pt;font-family:\"Calibri\",sans-serif'>{name}<o:p></o:p>"
    "</span></p><p class=MsoNormal><i>{title}</i></p>",
    "--<br>{name}<br>Sent from my phone, please excuse typos",
)
