"""A made-up benchmark for the tests of the report: nothing is run, every number is drawn."""

import numpy as np
import pandas as pd

from pgrpo_rec.benchmark.results import COLUMNS, COSTS, FAILURES, RESULTS, TUNING, BenchmarkRun

NASTY = '<script>alert("x")</script>'
SEED = 11
N_BINS = 10

# name, family, told, variant, regret at the end of it, how much worse for the small groups
RECOMMENDERS = [
    ("oracle", "reference", "true groups", "defaults", 0.0, 0.0),
    ("random item", "reference", "nothing", "defaults", 1.0, 0.0),
    ("P-GRPO, groups learned", "P-GRPO", "users", "defaults", 0.30, 0.10),
    ("P-GRPO, groups learned (tuned)", "P-GRPO", "users", "tuned", 0.27, 0.10),
    ("P-GRPO, groups told", "P-GRPO", "true groups", "defaults", 0.20, 0.05),
    ("P-GRPO, groups dealt at random", "P-GRPO", "random groups", "defaults", 0.42, 0.50),
    ("Thompson, pooled", "bandit", "nothing", "defaults", 0.40, 0.55),
    ("Thompson, per user", "bandit", "users", "defaults", 0.31, 0.12),
    ("Thompson, groups told", "bandit", "true groups", "tuned", 0.16, 0.04),
    ("LinUCB, pooled", "bandit", "nothing", "tuned", 0.36, 0.45),
    ("CLUB", "clustering bandit", "users", "defaults", 0.38, 0.2),
    (NASTY, "own", "nothing", "defaults", 0.5, 0.3),
]
SCENARIOS = [("hard", ["many", "some", "few\npeople"]), ("clicks & scales", ["loud", "quiet"])]


def make_run(n_seeds=6, recommenders=RECOMMENDERS, scenarios=SCENARIOS):
    generator = np.random.default_rng(SEED)
    rows, costs, tuning = [], [], []
    for scenario, groups in scenarios:
        luck = generator.normal(0, 0.02, n_seeds)
        for number, (name, _, _, variant, end, gap) in enumerate(recommenders):
            own = generator.normal(0, 0.03, (n_seeds, len(groups))) * (name != "oracle")
            for seed in range(n_seeds):
                for time in range(N_BINS):
                    for group in range(len(groups)):
                        level = end + gap * group + own[seed, group] + luck[seed] * (end > 0)
                        start = 1.0 if end > 0 else 0.0
                        fade = np.exp(-3 * time / N_BINS)
                        noise = generator.normal(0, 0.03) * (end > 0)
                        regret = level + (start - level) * fade + noise
                        n = (70, 20, 10)[group]
                        rows.append(
                            (scenario, name, seed, time, group, n, n - n * regret, n * regret, n)
                        )
                costs.append(
                    (scenario, name, seed, 1000, 0.01 * (number + 1), 0.02, 80 + 7 * number)
                )
            if variant == "tuned":
                for setting in ('{"prior": 1.0}', '{"prior": 0.1}'):
                    chosen = setting.endswith("0.1}")
                    tuning += [
                        (scenario, name, setting, 100 + s, 0.5 - 0.1 * chosen, chosen)
                        for s in range(2)
                    ]
    failures = [("hard", "broken & bad", 3, "ValueError: <b>no</b>", "Traceback ...\n<i>x</i>")]
    return BenchmarkRun(
        make_manifest(n_seeds, recommenders, scenarios),
        pd.DataFrame(rows, columns=COLUMNS[RESULTS]),
        pd.DataFrame(costs, columns=COLUMNS[COSTS]),
        pd.DataFrame(tuning, columns=COLUMNS[TUNING]),
        pd.DataFrame(failures, columns=COLUMNS[FAILURES]),
    )


def make_manifest(n_seeds, recommenders, scenarios):
    return {
        "name": "made up",
        "command": "pgrpo-rec benchmark --seeds 6 --output 'runs/made up'",
        "created": "2026-11-25T20:00:00Z",
        "pgrpo_rec": "0.2.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": True,
        "python": "3.12.1",
        "packages": {"numpy": "2.4.0", "numba": "0.63.0"},
        "machine": {"processor": "x86_64", "cores": 2, "memory_gib": 8.0, "system": "Linux"},
        "seeds": list(range(n_seeds)),
        "tune_seeds": [100, 101],
        "tune_budget": 2,
        "scenarios": [
            {
                "name": name,
                "description": f"People of {len(groups)} kinds & one catalogue.",
                "n_interactions": 1000,
                "group_names": groups,
                "group_shares": [0.7, 0.2, 0.1][: len(groups)],
            }
            for name, groups in scenarios
        ],
        "recommenders": [
            {"name": name, "family": family, "told": told, "variant": variant, "settings": {}}
            for name, family, told, variant, *_ in recommenders
        ],
    }
