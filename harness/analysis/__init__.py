"""Why models fail at people: probes, gradient conflict, transfer, modality gap.

Measurements, not scores: each ends in a sealed directory of tables (:mod:`.results`).
"""
