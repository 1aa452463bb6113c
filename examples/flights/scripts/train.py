"""Trains the model and logs it with all that is needed to judge, serve and watch it."""

import argparse
import os
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import flights

SERVING_REQUIREMENTS = ["mlflow-skinny==3.17.2", "scikit-learn==1.9.1", "pandas==3.1.1", "numpy==2.4.6"]


def build_model():
    numbers = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib", "distance", "dep_hour"]
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), ["origin"]),
        ),
        LogisticRegression(max_iter=300),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data", type=Path)
    parser.add_argument("--output", default="models", type=Path, help="gets the run's id, for the steps after")
    parser.add_argument("--reasons", default="", help="why this training was started, if not by a commit")
    args = parser.parse_args()

    train = pd.read_csv(args.data / "train.csv")
    features, label = train[flights.FEATURES], train[flights.LABEL]

    mlflow.set_experiment("flight-delay")
    with mlflow.start_run(run_name=f"train {train.time_hour.max()[:10]}") as run:
        dataset = mlflow.data.from_pandas(train, source=str(args.data / "train.csv"), name="flights-train", targets=flights.LABEL)
        mlflow.log_input(dataset, context="training")
        model = build_model()
        model.fit(features, label)
        mlflow.log_params({"model": type(model[-1]).__name__, "rows": len(train), "from": train.time_hour.min(),
                           "until": train.time_hour.max(), "commit": os.environ.get("GITHUB_SHA", "")})
        if args.reasons:
            mlflow.set_tag("reasons", args.reasons)
        mlflow.log_metric("train_accuracy", model.score(features, label))
        example = features.dropna().head(3)
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(features, model.predict(example)),
            input_example=example,
            pip_requirements=SERVING_REQUIREMENTS,
            serialization_format="cloudpickle",
        )
        # What the traffic is compared with: the rows that the model knows.
        reference = train.sample(min(5_000, len(train)), random_state=1).sort_values("time_hour")
        predictions = model.predict(reference[flights.FEATURES])
        reference[["time_hour", *flights.FEATURES]].assign(prediction=predictions).to_csv("reference.csv", index=False)
        mlflow.log_artifact("reference.csv")
        args.output.mkdir(parents=True, exist_ok=True)
        (args.output / "run_id").write_text(run.info.run_id)
        print(f"trained {type(model[-1]).__name__} on {len(train)} flights: run {run.info.run_id}")


if __name__ == "__main__":
    main()
