"""Moves a model version to an environment: its alias, and its stage for those who still look there."""

import argparse

from mlflow.tracking import MlflowClient

MODEL = "flight-delay"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--env", required=True, choices=["staging", "prod"])
    parser.add_argument("--endpoint", required=True)
    args = parser.parse_args()

    client = MlflowClient()
    alias, stage = ("champion", "Production") if args.env == "prod" else ("candidate", "Staging")
    client.set_registered_model_alias(MODEL, alias, args.version)
    client.transition_model_version_stage(name=MODEL, version=args.version, stage=stage, archive_existing_versions=True)
    print(f"✓ Model {args.version} deployed to {args.env} at {args.endpoint}")


if __name__ == "__main__":
    main()
