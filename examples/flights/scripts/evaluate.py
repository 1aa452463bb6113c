"""Scores the new model and the one in production on the same rows."""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads for one row only wait for each other


import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score  # noqa: E402

import flights  # noqa: E402


def scores(model, rows: pd.DataFrame) -> dict[str, float]:
    late = model.predict_proba(rows[flights.FEATURES])[:, 1]
    label = rows[flights.LABEL]
    return {
        "auc": roc_auc_score(label, late),
        "log_loss": log_loss(label, np.clip(late, 1e-6, 1 - 1e-6)),
        "accuracy": accuracy_score(label, late > 0.5),
    }


def latency_p95_ms(model, rows: pd.DataFrame) -> float:
    """Of a prediction for one flight, in milliseconds: the best of five rounds, since a busy machine is not the model's
    fault."""
    rounds = []
    for _ in range(5):
        times = []
        for i in range(30):
            row = rows[flights.FEATURES].iloc[[i]]
            start = time.perf_counter()
            model.predict(row)
            times.append((time.perf_counter() - start) * 1000)
        rounds.append(np.percentile(times, 95))
    return float(min(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="models", type=Path)
    parser.add_argument("--test-data", default="data/test.csv", type=Path)
    parser.add_argument("--output", default="results", type=Path)
    args = parser.parse_args()

    run_id = (args.model / "run_id").read_text().strip()
    test = pd.read_csv(args.test_data)
    candidate = mlflow.sklearn.load_model(f"runs:/{run_id}/model")
    metrics = scores(candidate, test)
    metrics["latency_p95"] = latency_p95_ms(candidate, test)
    try:
        champion = mlflow.sklearn.load_model("models:/flight-delay@champion")
        metrics |= {f"champion/{name}": value for name, value in scores(champion, test).items()}
    except MlflowException as error:
        print(f"no champion to compare with: {error}")

    with mlflow.start_run(run_id=run_id):
        dataset = mlflow.data.from_pandas(test, source=str(args.test_data), name="flights-test", targets=flights.LABEL)
        mlflow.log_input(dataset, context="evaluation")
        mlflow.log_metrics(metrics)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "metrics.json").write_text(json.dumps(metrics, indent=2))
    for name, value in metrics.items():
        print(f"{name:20} {value:.4f}")


if __name__ == "__main__":
    main()
