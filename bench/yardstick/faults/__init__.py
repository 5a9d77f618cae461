"""Seeded faults, one function an id: (base, u, generator) -> Case. u in [0, 1) is the strength: 0 hardly, 1 fatal."""
from yardstick.faults.batches import n08, n13
from yardstick.faults.parameters import n16, n17, n18, n20, n21
from yardstick.faults.statistics import n01, n02, n03, n04, n15
from yardstick.faults.training import n05, n06, n09, n19, n22

FAULTS = {
    "N01": n01, "N02": n02, "N03": n03, "N04": n04, "N05": n05, "N06": n06, "N08": n08, "N09": n09, "N13": n13, "N15": n15,
    "N16": n16, "N17": n17, "N18": n18, "N19": n19, "N20": n20, "N21": n21, "N22": n22,
}  # fmt: skip

# Not seeded yet: a function in a file of its kind, in the same way, and a line in FAULTS.
PENDING = ("N07", "N10", "N11", "N12", "N14", "N23", "N24", "N25")
