"""Scores the new model and the one in production on the same rows."""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads for one row only wait for each other


import matplotlib  # noqa: E402
import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, roc_curve  # noqa: E402

import flights  # noqa: E402


def probabilities(model, rows: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(rows[flights.FEATURES])[:, 1]


def scores(late: np.ndarray, label: pd.Series) -> dict[str, float]:
    return {
        "auc": roc_auc_score(label, late),
        "log_loss": log_loss(label, np.clip(late, 1e-6, 1 - 1e-6)),
        "accuracy": accuracy_score(label, late > 0.5),
    }


def plot(predicted: dict[str, np.ndarray], label: pd.Series, file: Path) -> None:
    """How well each model tells late flights from others, and how far its probabilities can be believed."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (roc, calibration) = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for (name, late), style in zip(predicted.items(), [{"color": "#0969da", "zorder": 3}, {"color": "#8c959f"}], strict=False):
        false_alarms, found, _ = roc_curve(label, late)
        roc.plot(false_alarms, found, label=f"{name}, AUC {roc_auc_score(label, late):.3f}", **style)
        tenths = pd.qcut(pd.Series(late), 10, duplicates="drop")
        means = pd.DataFrame({"said": late, "was": label.to_numpy()}).groupby(tenths.to_numpy(), observed=True).mean()
        calibration.plot(means.said, means.was, marker="o", markersize=4, label=name, **style)
    for axes, title, x, y in [(roc, "Late flights found", "false alarms", "found"),
                              (calibration, "Said and seen", "said to be late", "were late")]:
        top = 1 if axes is roc else max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([0, top], [0, top], color="#d0d7de", linestyle="--", zorder=1)
        axes.set(title=title, xlabel=x, ylabel=y, xlim=(0, top), ylim=(0, top))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
    figure.savefig(file, dpi=120)


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
    label = test[flights.LABEL]
    predicted = {"this model": probabilities(candidate, test)}
    metrics = scores(predicted["this model"], label)
    metrics["latency_p95"] = latency_p95_ms(candidate, test)
    try:
        champion = mlflow.sklearn.load_model("models:/flight-delay@champion")
        predicted["champion"] = probabilities(champion, test)
        metrics |= {f"champion/{name}": value for name, value in scores(predicted["champion"], label).items()}
    except MlflowException as error:
        print(f"no champion to compare with: {error}")

    args.output.mkdir(parents=True, exist_ok=True)
    plot(predicted, label, args.output / "roc_and_calibration.png")
    with mlflow.start_run(run_id=run_id):
        dataset = mlflow.data.from_pandas(test, source=str(args.test_data), name="flights-test", targets=flights.LABEL)
        mlflow.log_input(dataset, context="evaluation")
        mlflow.log_metrics(metrics)
        mlflow.log_artifact(str(args.output / "roc_and_calibration.png"))
    (args.output / "metrics.json").write_text(json.dumps(metrics, indent=2))
    for name, value in metrics.items():
        print(f"{name:20} {value:.4f}")


if __name__ == "__main__":
    main()
