"""The stylised world of 2017 in numbers: rounded public facts, and patterns chosen by hand to look like the world.

Rows of tables by economy are in the order of `labels.ECONOMIES`. What is a fact and what is our choice is said beside
each table and in docs/calibrations.md.
"""

from __future__ import annotations

from dlopt.calibrations.labels import N_GOODS, SECTOR_NAMES

#                     BRA    CHN    EU     IND    JPN    ROW    USA
# Facts, rounded.
GDP_TRILLION_USD = (2.1, 12.3, 17.3, 2.7, 4.9, 22.0, 19.5)
GOODS_IN_VALUE_ADDED = (0.20, 0.38, 0.18, 0.36, 0.22, 0.31, 0.14)
GOODS_HOME_SHARE = (0.87, 0.92, 0.82, 0.82, 0.80, 0.81, 0.75)
MEAN_GOODS_TARIFF = (0.11, 0.08, 0.03, 0.10, 0.015, 0.04, 0.02)
SERVICES_IN_CROSS_BORDER_FLOWS = 1 / 3
# Rounded and bent a little: shares about .35 and .57; home shares of services within .93-.97 before one common factor
# makes services a third of cross-border flows; services balances that sum to zero.
GOODS_VALUE_ADDED_SHARE = (0.36, 0.33, 0.35, 0.35, 0.35, 0.36, 0.36)
SERVICES_VALUE_ADDED_SHARE = (0.59, 0.54, 0.56, 0.57, 0.58, 0.57, 0.59)
SERVICES_HOME_SHARE = (0.950, 0.960, 0.945, 0.950, 0.955, 0.945, 0.960)
SERVICES_BALANCE_TRILLION_USD = (-0.03, -0.20, 0.15, 0.07, -0.02, -0.22, 0.25)

# Our choice: nearness of pairs of economies, symmetric, in the order of the economies.
NEARNESS = (
    (1.0, 0.6, 0.7, 0.4, 0.4, 0.8, 0.8),
    (0.6, 1.0, 0.8, 0.8, 1.4, 1.3, 1.0),
    (0.7, 0.8, 1.0, 0.7, 0.6, 1.5, 1.0),
    (0.4, 0.8, 0.7, 1.0, 0.5, 1.1, 0.7),
    (0.4, 1.4, 0.6, 0.5, 1.0, 1.1, 1.0),
    (0.8, 1.3, 1.5, 1.1, 1.1, 1.0, 1.4),
    (0.8, 1.0, 1.0, 0.7, 1.0, 1.4, 1.0),
)

# Our choice: tariffs of an importer (row) relative to its usual ones, by exporter (column): trade agreements.
PREFERENCE = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 1.0),
    (1.0, 1.0, 1.0, 0.9, 1.0, 0.8, 1.0),
    (0.9, 1.0, 1.0, 0.8, 1.0, 0.5, 1.0),
    (1.0, 1.0, 1.0, 1.0, 0.7, 0.8, 1.0),
    (0.9, 1.0, 1.0, 0.7, 1.0, 0.7, 1.0),
    (1.0, 0.9, 0.7, 0.9, 0.9, 1.0, 0.8),
    (1.0, 1.0, 1.0, 0.9, 1.0, 0.5, 1.0),
)

# Our choice, by goods sector: size in world value added, value-added share of output, relative openness, final use,
# tariff relative to the mean, and the change of US and Chinese tariffs in 2018-19 before scaling to the public means.
_GOODS = {
    "Agriculture": (12.0, 0.55, 0.35, 0.30, 1.8, 0.15, 0.20),
    "Fishing": (1.0, 0.55, 0.40, 0.40, 1.2, 0.15, 0.15),
    "Mining, energy": (9.0, 0.65, 1.20, 0.03, 0.1, 0.10, 0.20),
    "Mining, non-energy": (3.0, 0.55, 1.00, 0.03, 0.3, 0.15, 0.10),
    "Mining support": (1.0, 0.50, 0.40, 0.05, 0.1, 0.15, 0.10),
    "Food": (9.0, 0.27, 0.45, 0.60, 2.2, 0.20, 0.20),
    "Textiles": (5.0, 0.30, 1.30, 0.55, 2.0, 0.20, 0.15),
    "Wood": (2.0, 0.33, 0.45, 0.10, 0.8, 0.25, 0.15),
    "Paper": (4.0, 0.37, 0.40, 0.20, 0.6, 0.25, 0.15),
    "Petroleum": (3.0, 0.22, 0.80, 0.35, 0.5, 0.15, 0.20),
    "Chemicals": (7.0, 0.30, 1.10, 0.20, 0.7, 0.20, 0.15),
    "Pharmaceuticals": (4.0, 0.42, 1.40, 0.60, 0.3, 0.05, 0.05),
    "Rubber and plastics": (4.0, 0.32, 0.70, 0.20, 1.1, 0.25, 0.15),
    "Non-metallic minerals": (5.0, 0.34, 0.30, 0.08, 1.0, 0.25, 0.10),
    "Basic metals": (6.0, 0.23, 0.80, 0.04, 0.6, 0.25, 0.10),
    "Fabricated metals": (6.0, 0.36, 0.45, 0.20, 1.0, 0.25, 0.10),
    "Computers and electronics": (8.0, 0.30, 2.00, 0.45, 0.5, 0.20, 0.05),
    "Electrical equipment": (5.0, 0.28, 1.20, 0.35, 0.9, 0.25, 0.10),
    "Machinery": (8.0, 0.34, 1.30, 0.55, 0.6, 0.25, 0.10),
    "Motor vehicles": (7.0, 0.24, 1.10, 0.60, 1.6, 0.25, 0.10),
    "Other transport equipment": (3.0, 0.32, 1.50, 0.55, 0.8, 0.20, 0.05),
    "Other manufacturing": (5.0, 0.40, 1.10, 0.65, 1.1, 0.20, 0.15),
}

# Our choice, by services sector: size in world value added, value-added share of output, relative openness, final use.
_SERVICES = {
    "Electricity and gas": (4.0, 0.40, 0.10, 0.35),
    "Water and waste": (1.0, 0.50, 0.15, 0.40),
    "Construction": (9.0, 0.38, 0.05, 0.85),
    "Wholesale and retail": (17.0, 0.60, 1.20, 0.60),
    "Land transport": (5.0, 0.48, 0.90, 0.40),
    "Water transport": (0.7, 0.35, 4.00, 0.20),
    "Air transport": (0.8, 0.38, 3.00, 0.45),
    "Warehousing": (2.2, 0.50, 1.50, 0.15),
    "Post and couriers": (0.6, 0.55, 0.80, 0.20),
    "Hotels and restaurants": (4.0, 0.48, 0.80, 0.75),
    "Publishing and broadcasting": (2.0, 0.52, 1.00, 0.50),
    "Telecommunications": (3.0, 0.50, 0.60, 0.50),
    "Information technology": (3.5, 0.58, 2.00, 0.45),
    "Finance and insurance": (8.0, 0.58, 1.00, 0.40),
    "Real estate": (14.0, 0.75, 0.03, 0.75),
    "Professional services": (8.5, 0.57, 1.80, 0.25),
    "Administrative services": (5.0, 0.58, 1.50, 0.20),
    "Public administration": (10.0, 0.66, 0.03, 0.97),
    "Education": (7.0, 0.76, 0.15, 0.95),
    "Health and social work": (8.0, 0.62, 0.05, 0.95),
    "Arts and recreation": (1.5, 0.57, 0.50, 0.80),
    "Other services": (3.0, 0.60, 0.20, 0.80),
}

_ROWS = [*(_GOODS[name] for name in SECTOR_NAMES[:N_GOODS]), *(_SERVICES[name] for name in SECTOR_NAMES[N_GOODS:])]
SIZE, VALUE_ADDED_SHARE, OPENNESS, FINAL_USE = ([row[k] for row in _ROWS] for k in range(4))
TARIFF_PATTERN, US_2018_PATTERN, CHINA_2018_PATTERN = (
    [_GOODS[name][k] for name in SECTOR_NAMES[:N_GOODS]] for k in (4, 5, 6)
)
# Facts, rounded: mean rise over goods of US tariffs on China and of China's on the United States, 2018-19.
US_2018_MEAN_RISE = 0.20
CHINA_2018_MEAN_RISE = 0.12

# Our choice: how strong each economy is in groups of sectors, relative to the world (BRA CHN EU IND JPN ROW USA).
STRENGTH = {
    ("Agriculture", "Fishing"): (2.0, 1.1, 0.5, 2.8, 0.4, 1.1, 0.5),
    ("Mining, energy", "Mining, non-energy", "Mining support"): (1.4, 0.6, 0.2, 0.6, 0.1, 1.8, 0.8),
    ("Food",): (1.5, 0.8, 1.2, 0.7, 1.1, 1.0, 1.0),
    ("Textiles",): (0.8, 1.8, 0.7, 1.5, 0.4, 1.1, 0.3),
    ("Chemicals", "Basic metals", "Non-metallic minerals"): (0.9, 1.3, 1.0, 0.8, 1.1, 0.8, 1.0),
    ("Pharmaceuticals",): (0.6, 0.6, 1.8, 1.2, 1.0, 0.5, 1.6),
    ("Computers and electronics", "Electrical equipment"): (0.3, 1.6, 0.7, 0.3, 1.5, 0.9, 1.2),
    ("Machinery", "Motor vehicles", "Other transport equipment"): (0.7, 1.0, 1.6, 0.6, 1.8, 0.6, 1.3),
    ("Construction", "Land transport"): (1.0, 1.3, 0.9, 1.6, 1.0, 1.3, 0.8),
    ("Finance and insurance", "Professional services", "Information technology"): (0.9, 0.9, 1.0, 1.0, 0.9, 0.8, 1.3),
    ("Health and social work", "Administrative services"): (0.9, 0.5, 1.2, 0.5, 1.1, 0.8, 1.3),
}

# Our choice: input links (user, supplier), so many times stronger than usual; OWN_LINK for a sector's own goods.
OWN_LINK = 6.0
WITHIN_LINK, GOODS_IN_SERVICES, SERVICES_IN_GOODS = 1.0, 0.25, 0.6
LINKS = {
    ("Food", "Agriculture"): 8.0,
    ("Food", "Fishing"): 6.0,
    ("Textiles", "Agriculture"): 2.0,
    ("Wood", "Agriculture"): 3.0,
    ("Petroleum", "Mining, energy"): 20.0,
    ("Electricity and gas", "Mining, energy"): 20.0,
    ("Basic metals", "Mining, non-energy"): 8.0,
    ("Non-metallic minerals", "Mining, non-energy"): 5.0,
    ("Paper", "Wood"): 3.0,
    ("Pharmaceuticals", "Chemicals"): 4.0,
    ("Rubber and plastics", "Chemicals"): 5.0,
    ("Fabricated metals", "Basic metals"): 7.0,
    ("Machinery", "Basic metals"): 3.0,
    ("Motor vehicles", "Basic metals"): 3.0,
    ("Motor vehicles", "Rubber and plastics"): 3.0,
    ("Electrical equipment", "Basic metals"): 3.0,
    ("Electrical equipment", "Computers and electronics"): 2.0,
    ("Machinery", "Fabricated metals"): 3.0,
    ("Construction", "Non-metallic minerals"): 20.0,
    ("Construction", "Fabricated metals"): 10.0,
    ("Construction", "Wood"): 8.0,
    ("Land transport", "Petroleum"): 15.0,
    ("Water transport", "Petroleum"): 15.0,
    ("Air transport", "Petroleum"): 15.0,
    ("Hotels and restaurants", "Food"): 20.0,
    ("Hotels and restaurants", "Agriculture"): 6.0,
    ("Health and social work", "Pharmaceuticals"): 25.0,
}

# Emissions of carbon dioxide: rough orders of magnitude, in kg per USD of output of the world, and by economy relative
# to that. They add up to what production in the world emits, some 30 billion tonnes; no single number is data.
EMISSIONS_KG_PER_USD = {
    "Agriculture": 0.15, "Fishing": 0.2, "Mining, energy": 0.6, "Mining, non-energy": 0.15, "Mining support": 0.1,
    "Food": 0.06, "Textiles": 0.06, "Wood": 0.06, "Paper": 0.15, "Petroleum": 0.4, "Chemicals": 0.35,
    "Pharmaceuticals": 0.04, "Rubber and plastics": 0.06, "Non-metallic minerals": 1.05, "Basic metals": 0.75,
    "Electricity and gas": 2.6, "Water and waste": 0.15, "Land transport": 0.5, "Water transport": 0.9,
    "Air transport": 0.85,
}  # fmt: skip
OTHER_GOODS_KG_PER_USD, SERVICES_KG_PER_USD = 0.03, 0.01
EMISSIONS_RELATIVE = (0.6, 1.6, 0.5, 2.2, 0.6, 1.1, 0.75)
