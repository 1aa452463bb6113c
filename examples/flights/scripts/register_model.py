"""Registers the model that a run made, as the candidate for release."""

import argparse
import os

import mlflow
from mlflow.tracking import MlflowClient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--model-name", required=True)
    args = parser.parse_args()

    version = mlflow.register_model(f"runs:/{args.run_id}/model", args.model_name).version
    MlflowClient().set_registered_model_alias(args.model_name, "candidate", version)
    print(f"{args.model_name} version {version} is the candidate")
    if "GITHUB_OUTPUT" in os.environ:
        with open(os.environ["GITHUB_OUTPUT"], "a") as output:
            print(f"version={version}", file=output)


if __name__ == "__main__":
    main()
