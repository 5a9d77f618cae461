"""Seeded faults, one function an id: (base, u, generator) -> Case. u in [0, 1) is the strength: 0 hardly, 1 fatal. None
where the topology cannot have the fault."""
from yardstick.faults.batches import n08, n13
from yardstick.faults.copies import n07, n10, n24
from yardstick.faults.forms import n23, n25
from yardstick.faults.mixtures import n11, n12, n14
from yardstick.faults.parameters import n16, n17, n18, n20, n21
from yardstick.faults.statistics import n01, n02, n03, n04, n15
from yardstick.faults.training import n05, n06, n09, n19, n22

FAULTS = {
    "N01": n01, "N02": n02, "N03": n03, "N04": n04, "N05": n05, "N06": n06, "N07": n07, "N08": n08, "N09": n09, "N10": n10,
    "N11": n11, "N12": n12, "N13": n13, "N14": n14, "N15": n15, "N16": n16, "N17": n17, "N18": n18, "N19": n19, "N20": n20,
    "N21": n21, "N22": n22, "N23": n23, "N24": n24, "N25": n25,
}  # fmt: skip
