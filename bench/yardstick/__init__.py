"""What bench/doctor_yardstick.py is made of: data, topologies, seeded faults, clean models, public faults, score."""
